//! The state file: the whole model as JSON, replaced in one step, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::Model;

/// Raised whenever older files can no longer be read.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Saved<'a> {
    format: u32,
    model: &'a Model,
}

#[derive(Deserialize)]
struct Loaded {
    format: u32,
    model: Model,
}

/// The model in the file; nothing when there is no file yet.
pub(crate) fn load(path: &Path) -> io::Result<Option<Model>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let loaded: Loaded = serde_json::from_slice(&bytes)?;
    if loaded.format != FORMAT {
        let message = format!("it has format {}, this version reads {FORMAT}", loaded.format);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(Some(loaded.model))
}

/// What [`save`] writes.
pub(crate) fn encode(model: &Model) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&Saved { format: FORMAT, model })?)
}

/// Replaces the file: written beside it first, so that a crash leaves the old one whole.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = create_private(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}
