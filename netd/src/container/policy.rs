//! Who may ask a container for what, when: a pure table. The container's task asks it before it does anything, so that
//! a request is done, found done, or refused with a reason, and never half of one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a container stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Made, and never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// Its process was told to end and has not ended yet.
    Stopping,
    /// Its process ended and will be started again in a while.
    Restarting,
    /// Its process ended.
    Exited,
    /// It is being removed.
    Removing,
}

/// What a container is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Start.
    Start,
    /// Stop, in the process' own time.
    Stop,
    /// Send a signal.
    Kill,
    /// Stop and start.
    Restart,
    /// Freeze.
    Pause,
    /// Go on.
    Unpause,
    /// Take another name.
    Rename,
    /// Go.
    Remove,
    /// Go, running or not.
    RemoveByForce,
    /// Join or leave a network.
    Networks,
    /// Change limits or the restart policy.
    Update,
    /// Run one more process.
    Exec,
    /// Show its processes.
    Top,
    /// Change the size of the terminal.
    Resize,
    /// Attach to its streams.
    Attach,
}

/// What the container does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does it.
    Allowed,
    /// It is so already.
    Already,
    /// It refuses.
    Denied(Reason),
}

/// Why a container refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It does not run.
    NotRunning,
    /// It is about to be started again.
    Restarting,
    /// It is frozen.
    Paused,
    /// It is not frozen.
    NotPaused,
    /// It runs.
    Running,
    /// It is being removed.
    Removing,
}

/// A refusal, in Docker's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Denied {
    /// What was asked.
    pub ask: Ask,
    /// Why not.
    pub reason: Reason,
    /// Where the container stood.
    pub phase: Phase,
    /// The container's id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Phase {
    /// Whether Docker calls it running: there is a process, or will be again without anybody asking.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopping | Self::Restarting)
    }

    /// Whether there is a process.
    pub const fn has_process(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopping)
    }

    /// Docker's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running | Self::Stopping => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }
}

/// What a container in `phase` does when asked for `ask`.
pub const fn admit(phase: Phase, ask: Ask) -> Verdict {
    use Verdict::{Allowed, Already};
    match (ask, phase) {
        (_, Phase::Removing) => Verdict::Denied(Reason::Removing),

        (Ask::Start, Phase::Paused) => Verdict::Denied(Reason::Paused),
        (Ask::Start, Phase::Running | Phase::Stopping | Phase::Restarting) => Already,
        (Ask::Stop, Phase::Created | Phase::Exited) => Already,
        (Ask::Remove, Phase::Running | Phase::Paused | Phase::Stopping | Phase::Restarting) => {
            Verdict::Denied(Reason::Running)
        }

        (Ask::Pause | Ask::Exec | Ask::Top, Phase::Restarting) => Verdict::Denied(Reason::Restarting),
        (Ask::Pause | Ask::Exec | Ask::Attach, Phase::Paused) => Verdict::Denied(Reason::Paused),
        (Ask::Attach, Phase::Restarting) => Verdict::Denied(Reason::Restarting),
        (Ask::Unpause, Phase::Paused) => Allowed,
        (Ask::Unpause, _) => Verdict::Denied(Reason::NotPaused),
        (Ask::Resize, Phase::Restarting) => Verdict::Denied(Reason::NotRunning),
        (Ask::Kill | Ask::Pause | Ask::Exec | Ask::Top | Ask::Resize, Phase::Created | Phase::Exited) => {
            Verdict::Denied(Reason::NotRunning)
        }

        (
            Ask::Start
            | Ask::Stop
            | Ask::Kill
            | Ask::Restart
            | Ask::Pause
            | Ask::Rename
            | Ask::Remove
            | Ask::RemoveByForce
            | Ask::Networks
            | Ask::Update
            | Ask::Exec
            | Ask::Top
            | Ask::Resize
            | Ask::Attach,
            _,
        ) => Allowed,
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ask, reason, phase, id, name } = self;
        match (ask, reason) {
            (Ask::Remove | Ask::RemoveByForce, Reason::Removing) => {
                write!(f, "removal of container {name} is already in progress")
            }
            (Ask::Start, Reason::Removing) => {
                f.write_str("container is marked for removal and cannot be started")
            }
            (_, Reason::Removing) => {
                write!(f, "container {name} is marked for removal and cannot be {}", done(*ask))
            }
            (Ask::Start, Reason::Paused) => {
                f.write_str("cannot start a paused container, try unpause instead")
            }
            (Ask::Remove, Reason::Running) if *phase == Phase::Paused => {
                write!(
                    f,
                    "cannot remove container \"/{name}\": container is paused and must be unpaused first"
                )
            }
            (Ask::Remove, _) => write!(
                f,
                "cannot remove container \"/{name}\": container is {}: stop the container before removing or force remove",
                phase.as_str()
            ),
            (Ask::Pause, Reason::Paused) => write!(f, "container {id} is already paused"),
            (Ask::Exec, Reason::Paused) => {
                write!(f, "container {name} is paused, unpause the container before exec")
            }
            (_, Reason::Paused) => {
                write!(f, "container {name} is paused, unpause the container before attach")
            }
            (_, Reason::NotPaused) => write!(f, "Container {id} is not paused"),
            (_, Reason::Restarting) => {
                write!(f, "Container {id} is restarting, wait until the container is running")
            }
            (Ask::Kill, Reason::NotRunning) => {
                write!(f, "cannot kill container: {name}: container {id} is not running")
            }
            (_, Reason::NotRunning | Reason::Running) => write!(f, "container {id} is not running"),
        }
    }
}

const fn done(ask: Ask) -> &'static str {
    match ask {
        Ask::Start => "started",
        Ask::Stop => "stopped",
        Ask::Kill => "killed",
        Ask::Restart => "restarted",
        Ask::Pause => "paused",
        Ask::Unpause => "unpaused",
        Ask::Rename => "renamed",
        Ask::Remove | Ask::RemoveByForce => "removed",
        Ask::Networks => "connected to or disconnected from a network",
        Ask::Update => "updated",
        Ask::Exec | Ask::Top | Ask::Resize | Ask::Attach => "used",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 7] = [
        Phase::Created,
        Phase::Running,
        Phase::Paused,
        Phase::Stopping,
        Phase::Restarting,
        Phase::Exited,
        Phase::Removing,
    ];
    const ASKS: [Ask; 15] = [
        Ask::Start,
        Ask::Stop,
        Ask::Kill,
        Ask::Restart,
        Ask::Pause,
        Ask::Unpause,
        Ask::Rename,
        Ask::Remove,
        Ask::RemoveByForce,
        Ask::Networks,
        Ask::Update,
        Ask::Exec,
        Ask::Top,
        Ask::Resize,
        Ask::Attach,
    ];

    /// One row per request, one column per phase: `+` done, `=` found done, else why not.
    #[test]
    fn the_whole_table() {
        let letter = |phase, ask| match admit(phase, ask) {
            Verdict::Allowed => '+',
            Verdict::Already => '=',
            Verdict::Denied(Reason::NotRunning) => 'n',
            Verdict::Denied(Reason::Restarting) => 'r',
            Verdict::Denied(Reason::Paused) => 'p',
            Verdict::Denied(Reason::NotPaused) => 'u',
            Verdict::Denied(Reason::Running) => 'y',
            Verdict::Denied(Reason::Removing) => 'x',
        };
        let row = |ask| PHASES.map(|phase| letter(phase, ask)).iter().collect::<String>();
        for (ask, wanted) in [
            (Ask::Start, "+=p==+x"),
            (Ask::Stop, "=++++=x"),
            (Ask::Kill, "n++++nx"),
            (Ask::Restart, "++++++x"),
            (Ask::Pause, "n+p+rnx"),
            (Ask::Unpause, "uu+uuux"),
            (Ask::Rename, "++++++x"),
            (Ask::Remove, "+yyyy+x"),
            (Ask::RemoveByForce, "++++++x"),
            (Ask::Networks, "++++++x"),
            (Ask::Update, "++++++x"),
            (Ask::Exec, "n+p+rnx"),
            (Ask::Top, "n+++rnx"),
            (Ask::Resize, "n+++nnx"),
            (Ask::Attach, "++p+r+x"),
        ] {
            assert_eq!(row(ask), wanted, "{ask:?}");
        }
    }

    #[test]
    fn nothing_is_done_to_what_is_going() {
        for ask in ASKS {
            assert_eq!(admit(Phase::Removing, ask), Verdict::Denied(Reason::Removing));
        }
    }

    #[test]
    fn what_needs_a_process_has_one() {
        for ask in [Ask::Pause, Ask::Unpause, Ask::Exec, Ask::Top, Ask::Resize] {
            for phase in PHASES {
                assert!(admit(phase, ask) != Verdict::Allowed || phase.has_process(), "{ask:?} {phase:?}");
            }
        }
    }

    #[test]
    fn refusals_are_dockers() {
        let text = |ask, phase| match admit(phase, ask) {
            Verdict::Denied(reason) => {
                Denied { ask, reason, phase, id: "0123".to_owned(), name: "c".to_owned() }.to_string()
            }
            _ => String::new(),
        };
        assert_eq!(
            text(Ask::Remove, Phase::Running),
            "cannot remove container \"/c\": container is running: stop the container before removing or force remove"
        );
        assert_eq!(
            text(Ask::Remove, Phase::Paused),
            "cannot remove container \"/c\": container is paused and must be unpaused first"
        );
        assert_eq!(text(Ask::Kill, Phase::Exited), "cannot kill container: c: container 0123 is not running");
        assert_eq!(text(Ask::Exec, Phase::Created), "container 0123 is not running");
        assert_eq!(
            text(Ask::Exec, Phase::Paused),
            "container c is paused, unpause the container before exec"
        );
        assert_eq!(text(Ask::Unpause, Phase::Running), "Container 0123 is not paused");
        assert_eq!(text(Ask::Start, Phase::Paused), "cannot start a paused container, try unpause instead");
        for (ask, phase) in ASKS.iter().flat_map(|ask| PHASES.map(|phase| (*ask, phase))) {
            let denied = matches!(admit(phase, ask), Verdict::Denied(_));
            assert_eq!(denied, !text(ask, phase).is_empty());
        }
    }
}
