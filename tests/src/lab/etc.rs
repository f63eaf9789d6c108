//! An /etc of a host's own: what netd writes for a namespace that has a name goes below `/etc/netns`.

use super::machine::Machine;

/// An /etc over the machine's, until it is lifted.
pub struct OwnEtc<'m>(&'m Machine);

impl<'m> OwnEtc<'m> {
    /// Lays it over the machine's; what is written is in `/run/lab/etc` of the host.
    ///
    /// # Panics
    /// If it can't be mounted.
    #[track_caller]
    pub fn lay(machine: &'m Machine) -> Self {
        let line = "mkdir -p /run/lab/etc /run/lab/etc-work
            mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/lab/etc,workdir=/run/lab/etc-work /etc
            mount --bind /run/lab/resolv.conf /etc/resolv.conf";
        machine.sh(line).ok();
        Self(machine)
    }

    /// Takes it away.
    ///
    /// # Panics
    /// If it is in use.
    #[track_caller]
    pub fn lift(self) {
        self.0.sh("umount /etc/resolv.conf /etc").ok();
    }
}
