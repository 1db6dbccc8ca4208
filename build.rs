//! Puts the built dashboard (web/dist) and the document of the HTTP interface where the binary takes them from, compressed; without a
//! dashboard the binary serves the plain page instead.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("dashboard");
    let dist = root.join("web/dist");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    println!("cargo:rerun-if-changed=build.rs");
    // `make` sets it when there is a dashboard, so that the first one is noticed: a folder that is not there cannot be watched.
    println!("cargo:rerun-if-env-changed=HEADWATER_DASHBOARD");
    if dist.is_dir() {
        println!("cargo:rerun-if-changed=web/dist");
        copy(&dist, &out)?;
    }
    println!("cargo:rerun-if-changed=docs/openapi.json");
    let mut packed = GzEncoder::new(fs::File::create(out.join("openapi.json.gz"))?, Compression::best());
    io::copy(&mut fs::File::open(root.join("docs/openapi.json"))?, &mut packed)?;
    packed.finish()?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let (path, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if path.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
