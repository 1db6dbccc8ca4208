//! The student's tool, from `student/`: as one file that Python runs (`/headwater.pyz`) and as a wheel. Both carry the address that they
//! were fetched from, so that nobody has to type it.

use std::io::{Cursor, Write};

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::HttpState;
use super::answer::Refused;
use super::caller::Secure;

static PACKAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/student/headwater");
const MAIN: &str = include_str!("../../student/__main__.py");

pub(super) const WHEEL: &str = concat!("headwater_student-", env!("CARGO_PKG_VERSION"), "-py3-none-any.whl");
const DIST_INFO: &str = concat!("headwater_student-", env!("CARGO_PKG_VERSION"), ".dist-info");
const METADATA: &str = concat!(
    "Metadata-Version: 2.1\nName: headwater-student\nVersion: ",
    env!("CARGO_PKG_VERSION"),
    "\nSummary: Joins a Headwater workshop and finds what is wrong with a connection\nRequires-Python: >=3.9\n"
);
const WHEEL_FILE: &str = "Wheel-Version: 1.0\nGenerator: headwater\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
const ENTRY_POINTS: &str = "[console_scripts]\nhw = headwater.cli:main\n";

/// Name and content of each module.
fn modules<'a>() -> impl Iterator<Item = (String, &'a [u8])> {
    let sources = PACKAGE.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "py"));
    sources.map(|file| (format!("headwater/{}", file.path().display()), file.contents() as &[u8]))
}

fn zipped<'a>(files: impl Iterator<Item = (String, &'a [u8])>) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored).unix_permissions(0o644);
    for (name, content) in files {
        archive.start_file(name, options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn zipapp(server: &str) -> Result<Vec<u8>, zip::result::ZipError> {
    let own = [("__main__.py".to_owned(), MAIN.as_bytes()), ("server.txt".to_owned(), server.as_bytes())];
    zipped(own.into_iter().chain(modules()))
}

/// A wheel as the binary distribution format (PEP 427) has it.
fn wheel(server: &str) -> Result<Vec<u8>, zip::result::ZipError> {
    let in_info = |name: &str| format!("{DIST_INFO}/{name}");
    let own = [
        ("headwater/server.txt".to_owned(), server.as_bytes()),
        (in_info("METADATA"), METADATA.as_bytes()),
        (in_info("WHEEL"), WHEEL_FILE.as_bytes()),
        (in_info("entry_points.txt"), ENTRY_POINTS.as_bytes()),
    ];
    let files: Vec<(String, &[u8])> = modules().chain(own).collect();
    let row = |(name, content): &(String, &[u8])| {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        format!("{name},sha256={digest},{}\n", content.len())
    };
    let record = files.iter().map(row).chain([format!("{},,\n", in_info("RECORD"))]).collect::<String>();
    zipped(files.into_iter().chain([(in_info("RECORD"), record.as_bytes())]))
}

/// The address by which these pages were reached.
fn server(headers: &HeaderMap, Secure(secure): Secure) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1:8080");
    format!("{}://{host}\n", if secure { "https" } else { "http" })
}

fn as_file(made: Result<Vec<u8>, zip::result::ZipError>, name: &str) -> Result<impl IntoResponse + use<>, Refused> {
    let bytes = made.map_err(|error| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{name} cannot be made: {error}"), "take student/ from the repository")
    })?;
    let headers =
        [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    Ok((headers, bytes))
}

pub(super) async fn as_zipapp(Extension(secure): Extension<Secure>, headers: HeaderMap) -> Result<impl IntoResponse, Refused> {
    as_file(zipapp(&server(&headers, secure)), "headwater.pyz")
}

pub(super) async fn as_wheel(
    State(_): State<HttpState>,
    Extension(secure): Extension<Secure>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Refused> {
    as_file(wheel(&server(&headers, secure)), WHEEL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::ROUTES;

    #[test]
    fn the_wheel_is_served_under_its_name_and_lists_its_files() {
        assert!(ROUTES.iter().any(|route| route.path.strip_prefix('/') == Some(WHEEL)), "{WHEEL}");
        let bytes = wheel("http://lab:8080\n").unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut record = String::new();
        std::io::Read::read_to_string(&mut archive.by_name(&format!("{DIST_INFO}/RECORD")).unwrap(), &mut record).unwrap();
        assert_eq!(record.lines().count(), archive.len());
        let names: Vec<String> = (0..archive.len()).map(|index| archive.by_index(index).unwrap().name().unwrap().into_owned()).collect();
        assert!(names.iter().all(|name| record.contains(&format!("{name},"))), "{names:?}");
        for wanted in ["headwater/cli.py", "headwater/server.txt"] {
            assert!(names.iter().any(|name| name == wanted), "{names:?}");
        }
    }
}
