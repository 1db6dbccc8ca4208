//! Names of packages, and what of a folder is served.

use super::*;
use std::os::unix::fs::symlink;
use std::process::Command;

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

fn names(shelf: &Shelf) -> Vec<&str> {
    shelf.files.keys().map(String::as_str).collect()
}

#[test]
fn projects_are_named_as_pip_asks_for_them() {
    for (name, project) in [
        ("confluent_kafka-2.16.1-cp312-cp312-win_amd64.whl", Some("confluent-kafka")),
        ("kafka_python-3.0.12-py2.py3-none-any.whl", Some("kafka-python")),
        ("kafka-python-2.0.2.tar.gz", Some("kafka-python")),
        ("zope.interface-7.0-1-cp312-cp312-macosx_11_0_arm64.whl", Some("zope-interface")),
        ("Flask__Old-1.0+cpu-py3-none-any.whl", Some("flask-old")),
        ("old-1!0.zip", Some("old")),
        ("confluent_kafka-2.16.1-cp312-cp312-win_amd64.whl.metadata", Some("confluent-kafka")),
        ("two-parts.whl", None),
        ("a-1-py3-none-any.whl.exe", None),
        ("noversion.tar.gz", None),
        (".hidden-1-py3-none-any.whl", None),
        ("-1-py3-none-any.whl", None),
        ("../a-1-py3-none-any.whl", None),
        ("a\"><script>-1-py3-none-any.whl", None),
        ("a%2e-1-py3-none-any.whl", None),
        ("a b-1-py3-none-any.whl", None),
        ("ä-1-py3-none-any.whl", None),
        ("requirements.txt", None),
    ] {
        assert_eq!(project_of(name).as_deref(), project, "{name}");
    }
    assert_eq!([normalised("A-_.b"), normalised("a--"), normalised(".."), normalised("")], ["a-b", "a-", "-", ""]);
}

#[test]
fn only_files_of_the_folder_itself_are_found() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    std::fs::write(elsewhere.path().join("secret"), "s").unwrap();
    std::fs::write(at("a-1-py3-none-any.whl"), "abc").unwrap();
    std::fs::write(at("notes.txt"), "n").unwrap();
    symlink(elsewhere.path().join("secret"), at("b-1-py3-none-any.whl")).unwrap();
    symlink(elsewhere.path(), at("c-1-py3-none-any.whl")).unwrap();
    symlink(at("a-1-py3-none-any.whl"), at("d-1-py3-none-any.whl")).unwrap();
    std::fs::create_dir(at("e-1-py3-none-any.whl")).unwrap();
    assert!(Command::new("mkfifo").arg(at("f-1-py3-none-any.whl")).status().unwrap().success());
    let shelf = look(folder.path(), &Shelf::default(), &never()).unwrap();
    assert_eq!(names(&shelf), ["a-1-py3-none-any.whl"]);
    assert!(shelf.left_out.is_empty(), "{shelf:?}");
    let wheel = &shelf.files["a-1-py3-none-any.whl"];
    assert_eq!((wheel.bytes(), wheel.project.as_str()), (3, "a"));
    assert_eq!(wheel.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    // A link that has taken a file's place since the look.
    std::fs::remove_file(at("a-1-py3-none-any.whl")).unwrap();
    symlink(elsewhere.path().join("secret"), at("a-1-py3-none-any.whl")).unwrap();
    assert!(open_as(&at("a-1-py3-none-any.whl"), wheel.stamp).is_err());
}

#[test]
fn a_file_is_read_once_and_again_when_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let name = "a-1-py3-none-any.whl";
    std::fs::write(folder.path().join(name), "abc").unwrap();
    let mut known = look(folder.path(), &Shelf::default(), &never()).unwrap();
    // A digest that could only come from the look before.
    known.files.get_mut(name).unwrap().sha256 = "kept".to_owned();
    let again = look(folder.path(), &known, &never()).unwrap();
    assert_eq!(again.files[name].sha256, "kept");
    // Of the same size, and with the time of the one before.
    let modified = std::fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
    std::fs::write(folder.path().join("new"), "abd").unwrap();
    File::options().write(true).open(folder.path().join("new")).unwrap().set_modified(modified).unwrap();
    std::fs::rename(folder.path().join("new"), folder.path().join(name)).unwrap();
    let changed = look(folder.path(), &known, &never()).unwrap();
    assert_eq!(changed.files[name].sha256, "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9");
    std::fs::remove_file(folder.path().join(name)).unwrap();
    assert_eq!(look(folder.path(), &changed, &never()).unwrap(), Shelf::default());
}

#[test]
fn a_look_ends_with_the_broker_and_takes_so_many_files() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..=FILES_MAX {
        std::fs::write(folder.path().join(format!("p{n:05}-1-py3-none-any.whl")), "").unwrap();
    }
    let shelf = look(folder.path(), &Shelf::default(), &never()).unwrap();
    let left_out: Vec<&str> = shelf.left_out.keys().map(String::as_str).collect();
    assert_eq!((shelf.files.len(), left_out), (FILES_MAX, vec!["p02000-1-py3-none-any.whl"]));
    let ended = look(folder.path(), &Shelf::default(), &AtomicBool::new(true)).unwrap();
    assert!(ended.files.is_empty());
}

#[test]
fn so_many_at_once_and_not_all_of_them_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let house = Wheelhouse::open(folder.path()).unwrap();
    let [one, other, third] = [1, 2, 3].map(|last| IpAddr::from([10, 0, 0, last]));
    let mut of_one: Vec<Place> = (0..AT_ONCE_OF_ONE).map(|_| house.place(one).unwrap_or_else(|_| panic!("a place"))).collect();
    let refused = house.place(one).err().expect("no place");
    assert_eq!((refused.status, refused.retry_after), (StatusCode::SERVICE_UNAVAILABLE, Some(AGAIN_AFTER)));
    let of_others: Vec<Place> = (AT_ONCE_OF_ONE..AT_ONCE).map(|_| house.place(other).unwrap_or_else(|_| panic!("a place"))).collect();
    assert!(house.place(third).is_err());
    of_one.pop();
    assert!(house.place(third).is_ok());
    drop((of_one, of_others));
    assert!(house.open.lock().unwrap().is_empty());
}
