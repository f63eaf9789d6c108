//! Which devices a container may make and open.

use std::path::Path;

use oci_spec::runtime as oci;

use super::invalid;
use crate::error::BundleError;
use crate::spec::{ContainerSpec, Device};

/// Docker's device policy: any node may be made, a few may be opened.
const OPEN_DEVICES: &[&str] = &[
    "c *:* m",
    "b *:* m",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 1:8 rwm",
    "c 1:9 rwm",
    "c 5:0 rwm",
    "c 5:2 rwm",
    "c 136:* rwm",
];

/// The device rules, deny first, as text: allow or deny, and the words of a v1 cgroup.
pub(crate) fn device_texts(spec: &ContainerSpec) -> Vec<(bool, String)> {
    if spec.privileged {
        return vec![(true, "a *:* rwm".to_owned())];
    }
    let mut rules = vec![(false, "a *:* rwm".to_owned())];
    rules.extend(OPEN_DEVICES.iter().map(|text| (true, (*text).to_owned())));
    rules.extend(spec.devices.iter().filter_map(device_text).map(|text| (true, text)));
    rules.extend(spec.resources.device_rules.iter().map(|text| (true, text.clone())));
    rules
}

fn device_text(device: &Device) -> Option<String> {
    let (block, major, minor) = node(&device.host)?;
    let kind = if block { 'b' } else { 'c' };
    let permissions = if device.permissions.is_empty() { "rwm" } else { &device.permissions };
    Some(format!("{kind} {major}:{minor} {permissions}"))
}

/// What a device node of the host is: block or character, major, minor.
pub(crate) fn node(path: &Path) -> Option<(bool, u64, u64)> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let found = std::fs::metadata(path).ok()?;
    let block = found.file_type().is_block_device();
    (block || found.file_type().is_char_device()).then(|| {
        let number = found.rdev();
        (block, u64::from(rustix::fs::major(number)), u64::from(rustix::fs::minor(number)))
    })
}

/// The rules as a bundle has them.
pub(super) fn device_rules(spec: &ContainerSpec) -> Result<Vec<oci::LinuxDeviceCgroup>, BundleError> {
    device_texts(spec).into_iter().map(|(allow, text)| device_rule(allow, &text)).collect()
}

fn device_rule(allow: bool, text: &str) -> Result<oci::LinuxDeviceCgroup, BundleError> {
    let wrong = || BundleError::DeviceRule(text.to_owned());
    let mut words = text.split(' ');
    let kind = match words.next() {
        Some("a") => oci::LinuxDeviceType::A,
        Some("b") => oci::LinuxDeviceType::B,
        Some("c") => oci::LinuxDeviceType::C,
        _ => return Err(wrong()),
    };
    let (major, minor) = words.next().and_then(|numbers| numbers.split_once(':')).ok_or_else(wrong)?;
    let access = words
        .next()
        .filter(|access| access.chars().all(|letter| "rwm".contains(letter)))
        .ok_or_else(wrong)?;
    let mut builder = oci::LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
    if major != "*" {
        builder = builder.major(major.parse::<i64>().map_err(|_| wrong())?);
    }
    if minor != "*" {
        builder = builder.minor(minor.parse::<i64>().map_err(|_| wrong())?);
    }
    builder.build().map_err(invalid)
}
