//! The image that is always there: `host`, the machine's own root, read-only, under each container's own layer. There
//! is no other one yet; what is asked of others is answered with what to do instead.

use netd_api::{extras::HOST_IMAGE, models};

use crate::error::Kind;

/// SHA-256 of `pontoon built-in image host v1\n`: constant, so that scripts may compare ids.
const ID: &str = "sha256:0c8d1631d94086490445a3f85c0f9a5cc2a46dc249c2873935c54e59ecf96df3";

/// When this description of it was written, in seconds since 1970 and as text.
const CREATED: (i64, &str) = (1_793_491_200, "2026-11-01T00:00:00Z");

/// What a process gets to find programs with, as in Docker's own default.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image is not there, or can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is no such image; the text is Docker's, clients look for it.
    #[error("No such image: {0}")]
    NotFound(String),
    /// The name can't be one.
    #[error("invalid reference format")]
    Malformed,
    /// What needs a registry or a builder.
    #[error(
        "{0} is not supported by this daemon: it has no images but the built-in \"{HOST_IMAGE}\" (the machine's own root); \
         use that one, or a directory with `pontoon run --rootfs DIR`"
    )]
    Unsupported(&'static str),
    /// The built-in image stays.
    #[error("image {HOST_IMAGE}:latest is built in and cannot be removed")]
    BuiltIn,
}

impl ImageError {
    /// Of which kind the failure is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Malformed => Kind::InvalidParameter,
            Self::Unsupported(_) => Kind::NotImplemented,
            Self::BuiltIn => Kind::Conflict,
        }
    }
}

/// The built-in image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostImage;

impl HostImage {
    /// Finds the image that a user names: `host`, `host:latest`, `docker.io/library/host`, its id or the beginning
    /// of it.
    ///
    /// # Errors
    /// [`ImageError::NotFound`] for everything else, [`ImageError::Malformed`] for what can't be a name.
    pub fn find(reference: &str) -> Result<Self, ImageError> {
        if !well_formed(reference) {
            return Err(ImageError::Malformed);
        }
        let name = reference.strip_prefix("docker.io/").unwrap_or(reference);
        let name = name.strip_prefix("library/").unwrap_or(name);
        let hex = reference.strip_prefix("sha256:").unwrap_or(reference);
        let is_id = hex.len() >= 4 && hex_of(ID).starts_with(hex);
        if name == HOST_IMAGE || name.strip_prefix(HOST_IMAGE) == Some(":latest") || is_id {
            Ok(Self)
        } else {
            Err(ImageError::NotFound(with_tag(reference)))
        }
    }

    /// Its id.
    pub const fn id(self) -> &'static str {
        ID
    }

    /// Its name with its tag.
    pub fn tag(self) -> String {
        format!("{HOST_IMAGE}:latest")
    }

    /// What containers made of it get unless they say otherwise.
    pub fn config(self) -> models::ImageConfig {
        models::ImageConfig {
            env: Some(vec![PATH.to_owned()]),
            cmd: Some(vec!["/bin/sh".to_owned()]),
            working_dir: Some("/".to_owned()),
            ..Default::default()
        }
    }

    /// Its line in `docker images`.
    pub fn summary(self, containers: i64) -> models::ImageSummary {
        models::ImageSummary {
            id: ID.to_owned(),
            repo_tags: vec![self.tag()],
            created: CREATED.0,
            shared_size: -1,
            containers,
            ..Default::default()
        }
    }

    /// All there is to say of it.
    pub fn inspect(self) -> models::ImageInspect {
        models::ImageInspect {
            id: Some(ID.to_owned()),
            repo_tags: Some(vec![self.tag()]),
            repo_digests: Some(Vec::new()),
            comment: Some("the machine's own root, read-only".to_owned()),
            created: Some(CREATED.1.to_owned()),
            config: Some(self.config()),
            architecture: Some(architecture().to_owned()),
            os: Some("linux".to_owned()),
            size: Some(0),
            root_fs: Some(models::ImageInspectRootFs { typ: "layers".to_owned(), layers: Some(Vec::new()) }),
            ..Default::default()
        }
    }
}

/// The machine's architecture in Go's words, which Docker uses.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn hex_of(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, hex)| hex)
}

/// `busybox` is `busybox:latest` to Docker's users.
fn with_tag(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains(':') || reference.contains('@') {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

/// Whether it could be the name of an image: lower-case parts, a tag, a digest.
fn well_formed(reference: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@');
    let (name, _) =
        reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).unwrap_or((reference, ""));
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let path = name.rsplit('/').next().unwrap_or(name);
    reference.starts_with(|c: char| c.is_ascii_alphanumeric())
        && reference.chars().all(legal)
        && path.starts_with(first)
        && !path.contains(|c: char| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_image_has_many_names() {
        for name in ["host", "host:latest", "library/host", "docker.io/library/host:latest", ID, &ID[7..19]] {
            assert_eq!(HostImage::find(name), Ok(HostImage), "{name}");
        }
    }

    #[test]
    fn the_date_is_the_same_in_both_forms() {
        assert_eq!(jiff::Timestamp::from_second(CREATED.0).unwrap().to_string(), CREATED.1);
    }

    #[test]
    fn others_are_not_there() {
        let missing = |name: &str| HostImage::find(name).unwrap_err().to_string();
        assert_eq!(missing("busybox"), "No such image: busybox:latest");
        assert_eq!(missing("localhost:5000/a/b"), "No such image: localhost:5000/a/b:latest");
        assert_eq!(missing("host:v2"), "No such image: host:v2");
        for strange in ["", "-a", "Upper", "a b", "a/Upper:x", ":x"] {
            assert_eq!(HostImage::find(strange), Err(ImageError::Malformed), "{strange:?}");
        }
    }
}
