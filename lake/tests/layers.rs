//! The layers of the crate, bottom up: a module uses only modules of lower layers.

use std::path::Path;

/// Modules of one layer do not use each other.
const LAYERS: &[&[&str]] = &[
    &["checksum", "hour", "setting", "tweet", "url", "work"],
    &["store"],
    &["names", "pattern"],
    &["manifest", "options"],
    &["codec", "object", "table"],
    &["catalogue", "read"],
    &["lake", "scan"],
    &["faults", "lakes", "rejects", "verify"],
    &["parquet"],
];

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("give the module {module} a layer"))
}

/// The modules that a file uses, tests apart.
fn used(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().expect("split gives at least one part");
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths = lines.flat_map(|line| line.split("crate::").skip(1));
    let names = paths.filter_map(|path| path.split(|c: char| !c.is_ascii_lowercase() && c != '_').next());
    names.filter(|name| !name.is_empty()).collect()
}

fn check(path: &Path, module: &str, breaches: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            // Tests and their tools may use anything.
            if !["tests", "fixture", "conformance"].iter().any(|tests| name.starts_with(tests)) {
                check(&path, module, breaches);
            }
        }
        return;
    }
    let text = std::fs::read_to_string(path).expect("UTF-8");
    for other in used(&text) {
        let is_allowed = other == module || layer(other) < layer(module);
        if !is_allowed {
            breaches.push(format!("{} uses {other}", path.display()));
        }
    }
}

#[test]
fn a_module_uses_only_lower_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = Vec::new();
    for entry in std::fs::read_dir(&root).expect("readable") {
        let path = entry.expect("readable").path();
        let module = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8");
        if module != "lib" {
            check(&path, module, &mut breaches);
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}
