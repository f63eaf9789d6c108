//! `eth0.10`: the name of a link, the number of a VLAN on it.

use crate::{
    host::ParentError,
    types::{IfName, VlanId},
};

/// Reads the name of a link that does not exist as a VLAN of one that may.
pub(crate) fn sub_interface(link: &IfName) -> Result<(IfName, VlanId), ParentError> {
    let Some((on, id)) = link.as_str().split_once('.') else {
        return Err(ParentError::Missing(link.clone()));
    };
    if on.is_empty() || id.contains('.') {
        return Err(ParentError::NotAVlan(link.clone()));
    }
    let number: i64 = id.parse().map_err(|_| ParentError::NotANumber(id.to_owned()))?;
    let on = on.parse().map_err(|_| ParentError::NotAVlan(link.clone()))?;
    Ok((on, VlanId::try_from(number)?))
}
