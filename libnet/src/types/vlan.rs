//! The number of a VLAN.

/// A VLAN identifier (IEEE 802.1Q): 12 bits, of which 0 and 4095 are reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VlanId(u16);

/// A number that no VLAN has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("vlan id must be between 1-4094, received: {0}")]
pub struct VlanIdError(i64);

impl VlanId {
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for VlanId {
    type Error = VlanIdError;

    fn try_from(number: i64) -> Result<Self, VlanIdError> {
        match u16::try_from(number) {
            Ok(id @ 1..=4094) => Ok(Self(id)),
            _ => Err(VlanIdError(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bits_without_the_ends() {
        for number in [1, 10, 4094] {
            assert_eq!(i64::from(VlanId::try_from(number).unwrap().get()), number);
        }
        for number in [0, -1, 4095, 65_546, i64::MAX] {
            let text = format!("vlan id must be between 1-4094, received: {number}");
            assert_eq!(VlanId::try_from(number).unwrap_err().to_string(), text);
        }
    }
}
