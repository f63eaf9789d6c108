//! Plans: what is to be done, as a list of values, before any of it is done.
//!
//! One executor applies every plan. Setting up stops at the first step that fails and undoes what went before, last
//! first; tearing down goes on after errors and returns them all. A step that was applied yields the step that undoes it,
//! so that undoing is one more plan. What steps mean is the business of whoever applies them.

/// Applies steps to something: the kernel, or a model of it in a test.
pub(crate) trait Apply {
    /// One step.
    type Step: Clone;
    /// Why one fails.
    type Error;

    /// Applies `step`; the step that undoes it comes back, if there is anything to undo.
    fn apply(&mut self, step: &Self::Step) -> Result<Option<Self::Step>, Self::Error>;
}

/// How to undo what was set up: steps, in the order in which they were done.
#[derive(Debug)]
pub(crate) struct Undo<S>(Vec<S>);

/// A step that failed; what went before was undone.
#[derive(Debug)]
pub(crate) struct Failed<S, E> {
    /// The step.
    pub(crate) step: S,
    /// Why.
    pub(crate) source: E,
    /// Undoing failed too, in these places: each is something that stayed behind.
    pub(crate) left: Vec<(S, E)>,
}

impl<S: Clone> Undo<S> {
    /// Undoes everything, last first; what fails comes back.
    pub(crate) fn run<A: Apply<Step = S>>(self, to: &mut A) -> Vec<(S, A::Error)> {
        let steps: Vec<S> = self.0.into_iter().rev().collect();
        tear_down(&steps, to)
    }
}

/// What setting up comes to.
pub(crate) type SetUp<A> = Result<Undo<<A as Apply>::Step>, Failed<<A as Apply>::Step, <A as Apply>::Error>>;

/// Applies `steps` in order. If one fails, those before it are undone.
pub(crate) fn set_up<A: Apply>(steps: &[A::Step], to: &mut A) -> SetUp<A> {
    let mut undo = Undo(Vec::with_capacity(steps.len()));
    for step in steps {
        match to.apply(step) {
            Ok(inverse) => undo.0.extend(inverse),
            Err(source) => return Err(Failed { step: step.clone(), source, left: undo.run(to) }),
        }
    }
    Ok(undo)
}

/// Applies all `steps`, whatever happens to those before; what fails comes back.
pub(crate) fn tear_down<A: Apply>(steps: &[A::Step], to: &mut A) -> Vec<(A::Step, A::Error)> {
    let failure = |step: &A::Step, to: &mut A| to.apply(step).err().map(|error| (step.clone(), error));
    steps.iter().filter_map(|step| failure(step, to)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A model of a kernel: a set of objects. Putting one in twice, taking one out that is not there, and whatever is
    /// above the limit, fails.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Model {
        objects: BTreeSet<u8>,
        log: Vec<Change>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Change {
        Put(u8),
        Take(u8),
        Fail,
    }

    impl Apply for Model {
        type Step = Change;
        type Error = Change;

        fn apply(&mut self, step: &Change) -> Result<Option<Change>, Change> {
            self.log.push(*step);
            match *step {
                Change::Put(object) => {
                    self.objects.insert(object).then_some(Some(Change::Take(object))).ok_or(*step)
                }
                Change::Take(object) => {
                    self.objects.remove(&object).then_some(Some(Change::Put(object))).ok_or(*step)
                }
                Change::Fail => Err(*step),
            }
        }
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![(0_u8..8).prop_map(Change::Put), (0_u8..8).prop_map(Change::Take)]
    }

    proptest! {
        #[test]
        fn what_fails_half_way_leaves_nothing(
            before in prop::collection::btree_set(0_u8..8, 0..8),
            mut steps in prop::collection::vec(change(), 0..12),
            at: prop::sample::Index,
        ) {
            steps.insert(at.index(steps.len() + 1), Change::Fail);
            let mut model = Model { objects: before.clone(), log: Vec::new() };
            let failed = set_up(&steps, &mut model).unwrap_err();
            prop_assert!(failed.left.is_empty());
            prop_assert_eq!(model.objects, before);
        }

        #[test]
        fn what_was_set_up_can_be_undone(
            before in prop::collection::btree_set(0_u8..8, 0..8),
            steps in prop::collection::vec(change(), 0..12),
        ) {
            let mut model = Model { objects: before.clone(), log: Vec::new() };
            if let Ok(undo) = set_up(&steps, &mut model) {
                prop_assert!(undo.run(&mut model).is_empty());
            }
            prop_assert_eq!(model.objects, before);
        }
    }

    #[test]
    fn teardown_goes_on_and_tells_all() {
        let mut model = Model { objects: [1, 3].into(), log: Vec::new() };
        let failed =
            tear_down(&[Change::Take(1), Change::Take(2), Change::Fail, Change::Take(3)], &mut model);
        assert_eq!(failed.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [Change::Take(2), Change::Fail]);
        assert!(model.objects.is_empty());
    }
}
