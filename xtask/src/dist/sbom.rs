//! What the program is made of, as `CycloneDX` 1.5.

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The bill of materials of `usher`.
pub(super) fn of(metadata: &Metadata, version: &str) -> Result<String> {
    let nodes = &metadata
        .resolve
        .as_ref()
        .context("nothing is resolved")?
        .nodes;
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "token-cli")
        .context("there is no package of the program")?;
    let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
    let mut waiting = vec![&root.id];
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| node.id == *id);
        for dependency in node.into_iter().flat_map(|node| &node.deps) {
            let mut kinds = dependency.dep_kinds.iter();
            if kinds.any(|kind| kind.kind == DependencyKind::Normal) {
                waiting.push(&dependency.pkg);
            }
        }
    }
    let mut components: Vec<Value> = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id) && package.id != root.id)
        .map(|package| {
            let (name, version) = (package.name.as_str(), package.version.to_string());
            let purl = format!("pkg:cargo/{name}@{version}");
            let mut component = json!({ "type": "library", "name": name, "version": version,
                "bom-ref": purl, "purl": purl });
            if let (Some(licence), Some(fields)) = (&package.license, component.as_object_mut()) {
                let expression = licence.replace('/', " OR ");
                fields.insert("licenses".to_owned(), json!([{ "expression": expression }]));
            }
            component
        })
        .collect();
    components.sort_by_key(|component| component.get("bom-ref").map(Value::to_string));
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "usher", "version": version } },
        "components": components,
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&bill)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Repository;

    #[test]
    fn the_bill_names_what_the_program_uses_and_nothing_of_its_tests() {
        let metadata = Repository::open().unwrap().metadata().unwrap();
        let bill: Value = serde_json::from_str(&of(&metadata, "1.2.3").unwrap()).unwrap();
        let components = bill["components"].as_array().unwrap();
        let has = |name: &str| components.iter().any(|component| component["name"] == name);
        assert!(has("ring") && has("token-codec") && has("redb"));
        assert!(!has("proptest") && !has("trycmd") && !has("xtask"));
        assert!(
            components
                .iter()
                .all(|component| component["purl"].is_string())
        );
    }
}
