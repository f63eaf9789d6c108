//! When a container that ended is started again, and how long it is waited before: pure, time comes in.

use std::time::Duration;

/// The first wait; it doubles each time.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Who ran for so long is no longer failing: the next wait is the first again.
const STEADY: Duration = Duration::from_secs(10);

/// HostConfig.RestartPolicy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RestartPolicy {
    /// Never.
    No,
    /// If it failed, at most so often.
    OnFailure { most: Option<u32> },
    /// Always, and at the daemon's start.
    Always,
    /// Always, and at the daemon's start unless a user had stopped it.
    UnlessStopped,
}

/// How a container ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) ran_for: Duration,
    /// How often it was started again already.
    pub(super) restarts: u32,
    pub(super) stopped_by_user: bool,
}

/// The waits so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BackOff(Option<Duration>);

impl RestartPolicy {
    /// Whether a container that ended like this is started again.
    pub(super) fn restarts(self, ended: &Ended) -> bool {
        if ended.stopped_by_user {
            return false;
        }
        match self {
            Self::No => false,
            Self::Always | Self::UnlessStopped => true,
            Self::OnFailure { most } => ended.code != 0 && most.is_none_or(|most| ended.restarts < most),
        }
    }

    /// Whether a container that does not run is started when the daemon starts.
    pub(super) const fn starts_with_daemon(self, stopped_by_user: bool) -> bool {
        match self {
            Self::Always => true,
            Self::UnlessStopped => !stopped_by_user,
            Self::No | Self::OnFailure { .. } => false,
        }
    }
}

impl BackOff {
    /// How long to wait now.
    pub(super) fn next(&mut self, ran_for: Duration) -> Duration {
        let wait = match self.0 {
            Some(last) if ran_for < STEADY => (last * 2).min(LONGEST),
            _ => FIRST,
        };
        self.0 = Some(wait);
        wait
    }

    /// A user started it: what was, was.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ended(code: i32, restarts: u32, stopped_by_user: bool) -> Ended {
        Ended { code, ran_for: Duration::ZERO, restarts, stopped_by_user }
    }

    #[test]
    fn each_policy_in_each_case() {
        use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
        for (policy, success, failure, third_failure, stopped, at_start, stopped_at_start) in [
            (No, false, false, false, false, false, false),
            (OnFailure { most: None }, false, true, true, false, false, false),
            (OnFailure { most: Some(2) }, false, true, false, false, false, false),
            (Always, true, true, true, false, true, true),
            (UnlessStopped, true, true, true, false, true, false),
        ] {
            assert_eq!(policy.restarts(&ended(0, 0, false)), success, "{policy:?}");
            assert_eq!(policy.restarts(&ended(1, 0, false)), failure, "{policy:?}");
            assert_eq!(policy.restarts(&ended(1, 2, false)), third_failure, "{policy:?}");
            assert_eq!(policy.restarts(&ended(1, 0, true)), stopped, "{policy:?}");
            assert_eq!(policy.starts_with_daemon(false), at_start, "{policy:?}");
            assert_eq!(policy.starts_with_daemon(true), stopped_at_start, "{policy:?}");
        }
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let mut back_off = BackOff::default();
        let waits: Vec<_> = (0..12).map(|_| back_off.next(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
        assert_eq!(back_off.next(STEADY), FIRST);
        back_off.next(Duration::ZERO);
        back_off.reset();
        assert_eq!(back_off.next(Duration::ZERO), FIRST);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_outside_its_bounds(runs in proptest::collection::vec(0_u64..20, 0..40)) {
            let mut back_off = BackOff::default();
            for seconds in runs {
                let wait = back_off.next(Duration::from_secs(seconds));
                prop_assert!((FIRST..=LONGEST).contains(&wait));
            }
        }
    }
}
