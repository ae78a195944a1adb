//! The files of a project that runs from its folder.

use std::{fs, io, path::Path, time::UNIX_EPOCH};

use rust_websocket_rename::{CLASS_LIST, Project};

/// Folders in folders: a link that leads back is not followed for ever.
const DEEPEST: usize = 32;

/// Lists the files below `folder` that may hold names, without reading any.
///
/// # Errors
/// What a folder could not be read for, with its path.
pub(crate) fn list(folder: &Path, with_addons: bool) -> io::Result<Project> {
    let mut project = Project::new(with_addons);
    list_folder(&mut project, folder, "", 0)?;
    if let Ok(metadata) = fs::metadata(folder.join(CLASS_LIST)) {
        note(&mut project, CLASS_LIST.to_owned(), &metadata);
    }
    Ok(project)
}

/// Reads a file that was listed.
///
/// # Errors
/// What it could not be read for, with its path.
pub(crate) fn read(folder: &Path, path: &str) -> io::Result<Vec<u8>> {
    let path = folder.join(path);
    fs::read(&path).map_err(|error| naming(&path, &error))
}

fn list_folder(project: &mut Project, root: &Path, below: &str, depth: usize) -> io::Result<()> {
    let folder = if depth == 0 { root.to_owned() } else { root.join(below) };
    if depth > DEEPEST || (depth > 0 && folder.join(".gdignore").exists()) {
        return Ok(());
    }
    for entry in fs::read_dir(&folder).map_err(|error| naming(&folder, &error))? {
        let entry = entry.map_err(|error| naming(&folder, &error))?;
        // The engine opens no files whose names are not Unicode.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if depth == 0 { name } else { format!("{below}/{name}") };
        let is_listed = Project::has_file(&path);
        if !is_listed && entry.file_type().is_ok_and(|file_type| file_type.is_file()) {
            continue;
        }
        // A link that leads nowhere is no file for the engine either.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if metadata.is_file() && is_listed {
            note(project, path, &metadata);
        } else if metadata.is_dir() && Project::has_folder(&path) {
            list_folder(project, root, &path, depth + 1)?;
        }
    }
    Ok(())
}

fn note(project: &mut Project, path: String, metadata: &fs::Metadata) {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    project.list(path, metadata.len(), modified.unwrap_or_default().as_nanos());
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display()))
}
