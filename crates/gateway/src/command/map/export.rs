//! ConceptMaps and StructureMaps as files, for reviewers.

use std::fs;
use std::path::Path;

use dukou_mapping::Program;

use super::pretty;
use crate::maps::MapError;

/// Writes one file a resource, `ConceptMap-sex.json`, and gives their number.
pub(crate) fn write(program: &Program, folder: &Path) -> Result<usize, MapError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| MapError::Write { path, source }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let resources = program.export();
    for resource in &resources {
        let name = format!("{}-{}.json", resource.resource_type().unwrap_or(""), resource.text_at("id").unwrap_or(""));
        let file = folder.join(name);
        fs::write(&file, pretty(resource)).map_err(io(&file))?;
    }
    Ok(resources.len())
}
