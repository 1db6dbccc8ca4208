//! `docs/fifth-stream.md` does what it says: its blocks, applied to a copy of the source, add a stream that gets records.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A block of the page: its language, the file it is about, and its lines.
struct Block {
    language: String,
    file: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(head), false) => {
                let mut words = head.split(' ');
                let language = words.next().unwrap_or_default();
                let file = words.find_map(|word| word.strip_prefix("file=")).expect("each block names its file");
                blocks.push(Block { language: language.to_owned(), file: file.to_owned(), text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks
}

/// Replaces the lines of a diff without their `+` by those without their `-`.
fn patched(file: &str, diff: &str) -> String {
    let side = |other: char| -> String {
        let lines = diff.lines().filter(|line| !line.starts_with(other));
        lines.map(|line| line.get(1..).unwrap_or("").to_owned() + "\n").collect()
    };
    let (before, after) = (side('+'), side('-'));
    assert_eq!(file.matches(&before).count(), 1, "the page's lines are not in the file, or not once: {before}");
    file.replacen(&before, &after, 1)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Beside the folder that this test was built into, so that what it needs is already there.
fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release")).and_then(Path::parent).unwrap().to_owned()
}

#[test]
fn following_the_page_adds_a_stream_that_gets_records() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = target_folder();
    // Always the same place, so that a second run only builds what has changed.
    let folder = target.join("fifth-stream");
    let _ = fs::remove_dir_all(&folder);
    for part in ["src", "benches", "student", "challenges"] {
        copy(&root.join(part), &folder.join(part));
    }
    // Under another name: Cargo takes two packages of one name for the same, wherever they are, and would mix up what it built.
    for file in ["Cargo.toml", "Cargo.lock"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        fs::write(folder.join(file), text.replace("\"headwater\"", "\"headwater-fifth\"")).unwrap();
    }

    let blocks = blocks(&fs::read_to_string(root.join("docs/fifth-stream.md")).unwrap());
    assert_eq!(blocks.iter().filter(|block| block.language == "rust").count(), 1, "one file");
    for block in &blocks {
        let path = folder.join(&block.file);
        match block.language.as_str() {
            "rust" => {
                assert!(!path.exists(), "{} is there already", block.file);
                fs::write(&path, &block.text).unwrap();
            }
            "diff" => fs::write(&path, patched(&fs::read_to_string(&path).unwrap(), &block.text)).unwrap(),
            other => panic!("a block in {other}"),
        }
    }

    // Its own test, and those that hold every stream against the table and follow the topics over a restart.
    let tests = [
        "generators::parking",
        "every_event_has_the_fields_of_its_table",
        "fields_are_written_in_the_order_of_the_table",
        "first_start_writes_two_hours_and_goes_on_without_a_seam",
        "clean_records_fit_their_schemas",
    ];
    let output = Command::new(env!("CARGO"))
        .args(["test", "--lib", "--offline", "--locked", "--"])
        .args(tests)
        .arg("--nocapture")
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("parking-spaces: 36 records in a minute"), "{said}");
    assert!(said.contains(&format!("{} passed", tests.len())), "{said}");
    let line = said.lines().find(|line| line.contains("\"car_park\"")).unwrap_or("");
    println!("{line}");
}
