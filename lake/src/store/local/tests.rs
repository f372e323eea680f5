//! A local folder keeps the contracts, on the disk too.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;

async fn open(_check: &str) -> Option<(Arc<dyn Store>, TempDir)> {
    let folder = TempDir::new().expect("a temporary folder");
    Some((Arc::new(LocalStore::new(folder.path().join("new/lake"))), folder))
}

crate::store_conformance!(open);

fn key(name: &str) -> Key {
    Key::new(name).expect("a possible key")
}

fn put(name: &str) -> Put {
    let body = super::super::Body::Bytes("x".into());
    Put { key: key(name), body, condition: super::super::Condition::IfAbsent, sha256: None }
}

fn lake() -> (TempDir, LocalStore) {
    let folder = TempDir::new().expect("a temporary folder");
    let store = LocalStore::new(folder.path().join("lake"));
    (folder, store)
}

#[tokio::test]
async fn reading_a_lake_that_is_not_there_makes_no_folder() {
    let (folder, store) = lake();
    assert!(super::super::list_all(&store, "").await.expect("it lists").is_empty());
    assert_eq!(store.get(&key("a")).await.expect_err("nothing is there").kind(), ErrorKind::NotFound);
    store.delete(&key("a")).await.expect("there is nothing to do");
    assert_eq!(store.clean_up(i64::MAX).await.expect("there is nothing to do"), 0);
    assert_eq!(fs::read_dir(folder.path()).expect("it lists").count(), 0);
}

#[tokio::test]
async fn no_key_reaches_the_hidden_folder_and_nothing_stays_in_it() {
    let (_folder, store) = lake();
    store.put(put("a")).await.expect("it is put");
    store.put(put("a")).await.expect_err("it is there");
    let hidden = store.root.join(HIDDEN);
    assert_eq!(fs::read_dir(&hidden).expect("it lists").count(), 0, "a staging file stayed behind");
    fs::write(hidden.join("stage-1-0"), "x").expect("it is writable");
    let inside = key(&format!("{HIDDEN}/stage-1-0"));
    assert_eq!(store.get(&inside).await.expect_err("it is hidden").kind(), ErrorKind::NotFound);
    store.delete(&inside).await.expect("it is as if it were not there");
    assert!(store.put(put(&format!("{HIDDEN}/b"))).await.is_err());
    for prefix in ["", ".", HIDDEN, ".cauce-stage/"] {
        let names = super::super::list_all(&store, prefix).await.expect("it lists");
        assert!(names.iter().all(|object| object.key.as_str() == "a"), "{prefix:?} shows {names:?}");
    }
}

#[tokio::test]
async fn a_file_of_the_workshop_becomes_the_object_as_it_is() {
    use super::super::{Body, Condition};
    let (_folder, store) = lake();
    let workshop = store.files().expect("its objects are files").workshop().expect("it is made").folder().to_owned();
    let file = workshop.join("grown");
    for (name, condition) in [("linked", Condition::IfAbsent), ("renamed", Condition::Always)] {
        fs::write(&file, name).expect("it is writable");
        let inode = fs::metadata(&file).expect("it is there").ino();
        let body = Body::File { path: file.clone(), bytes: name.len() as u64, crc64: None };
        let tag = store.put(Put { key: key(name), body, condition, sha256: None }).await.expect("it is put");
        assert_eq!(store.get(&key(name)).await.expect("it is there"), (Bytes::from(name), tag));
        assert_eq!(fs::metadata(store.root.join(name)).expect("it is there").ino(), inode, "it was copied");
        // Where it was linked, writing to it would change the object.
        let _ = fs::remove_file(&file);
    }
    fs::write(&file, "longer").expect("it is writable");
    let put = |bytes, condition| Put {
        key: key("linked"),
        body: Body::File { path: file.clone(), bytes, crc64: None },
        condition,
        sha256: None,
    };
    let refused = store.put(put(3, Condition::Always)).await.expect_err("a half of it is no object");
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    let refused = store.put(put(6, Condition::IfAbsent)).await.expect_err("there is one of this name");
    assert_eq!(refused.kind(), ErrorKind::PreconditionFailed);
    assert_eq!(fs::read(&file).expect("who made it removes it"), b"longer");
    assert_eq!(store.get(&key("linked")).await.expect("it is there").0, "linked");
}

#[tokio::test]
async fn of_a_folder_that_was_made_anew_it_is_not_taken_for_granted_that_its_name_is_durable() {
    let (folder, store) = lake();
    let hour = folder.path().join("lake/a/hour");
    let known = || store.durable.lock().expect("nothing panicked").get(&hour).map(|made| format!("{made:?}"));
    store.put(put("a/hour/1")).await.expect("it is put");
    let first = known().expect("the file system tells when a folder was made");
    store.put(put("a/hour/2")).await.expect("it is put");
    assert_eq!(known(), Some(first.clone()));
    fs::remove_dir_all(&hour).expect("it is removed");
    store.put(put("a/hour/1")).await.expect("it is put");
    assert_ne!(known(), Some(first));
}

#[tokio::test]
async fn cleaning_up_removes_what_a_dead_process_left_and_no_younger_file() {
    let (_folder, store) = lake();
    store.put(put("a")).await.expect("it is put");
    let left = store.root.join(HIDDEN).join("stage-1-0");
    fs::write(&left, "half").expect("it is writable");
    let written = modified_ms(&fs::metadata(&left).expect("it is there"));
    assert_eq!(store.clean_up(written).await.expect("nothing is older"), 0);
    assert_eq!(store.clean_up(written + 1).await.expect("it is removed"), 1);
    assert!(!left.exists());
}

#[cfg(target_os = "linux")] // It looks into /proc.
#[test]
fn a_lock_that_is_removed_while_it_is_waited_for_keeps_nobody_out_and_is_taken_anew() {
    let (_folder, store) = lake();
    let path = store.root.join(HIDDEN).join("lock");
    let first = store.lock().expect("it is free");
    let second = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.lock());
        // The other thread holds the file open before it waits for it.
        let opened = || {
            fs::read_dir("/proc/self/fd")
                .expect("it lists")
                .flatten()
                .filter(|fd| fs::read_link(fd.path()).is_ok_and(|at| at == path))
        };
        while opened().count() < 2 {
            std::thread::yield_now();
        }
        fs::remove_file(&path).expect("it is there");
        drop(first);
        waiting.join().expect("no panic").expect("it is taken")
    });
    assert_eq!(second.metadata().expect("open").ino(), fs::metadata(&path).expect("it is there").ino());
}

#[tokio::test]
async fn a_workshop_is_removed_once_it_is_left_and_not_while_its_lock_is_held() {
    let (_folder, store) = lake();
    let hidden = store.root.join(HIDDEN);
    let held = store.lock().expect("it is free");
    store.leave_workshop();
    assert!(hidden.join("lock").exists(), "the lock of another one was removed");
    drop(held);
    store.put(put("a")).await.expect("it is put");
    fs::write(hidden.join("grows"), "half").expect("it is writable");
    store.leave_workshop();
    assert!(hidden.join("grows").exists() && !hidden.join("lock").exists());
    fs::remove_file(hidden.join("grows")).expect("it is there");
    store.leave_workshop();
    assert!(!hidden.exists());
    store.leave_workshop();
    store.put(put("b")).await.expect("the workshop is made anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_go_on_while_others_leave_the_workshop() {
    let (_folder, store) = lake();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let leaving = std::thread::spawn({
        let (store, done) = (store.clone(), Arc::clone(&done));
        move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                store.leave_workshop();
            }
        }
    });
    for number in 0..300 {
        let always = Put { condition: super::super::Condition::Always, ..put(&format!("a/{}", number % 3)) };
        store.put(always).await.expect("it is put");
        store.delete(&key(&format!("a/{}", number % 2))).await.expect("it goes");
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    leaving.join().expect("no panic");
}

#[tokio::test]
async fn a_name_that_is_taken_in_the_hidden_folder_is_passed_over() {
    let (_folder, store) = lake();
    store.put(put("first")).await.expect("it is put");
    for number in 0..300 {
        let path = store.root.join(HIDDEN).join(format!("stage-{}-{number}", std::process::id()));
        fs::write(path, "another's").expect("it is writable");
    }
    store.put(put("second")).await.expect("it is put");
    assert_eq!(fs::read(store.root.join("second")).expect("it is there"), b"x");
    let kept = fs::read_dir(store.root.join(HIDDEN)).expect("it lists").count();
    assert_eq!(kept, 300, "a file of another process was taken");
}

#[tokio::test]
async fn an_object_cannot_lie_below_an_object() {
    let (_folder, store) = lake();
    store.put(put("a")).await.expect("it is put");
    let error = store.put(put("a/b")).await.expect_err("a is a file");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    store.put(put("c/d")).await.expect("it is put");
    let over = Put { condition: super::super::Condition::Always, ..put("c") };
    let error = store.put(over).await.expect_err("c is a folder");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("folder of this name"), "{error}");
}

#[tokio::test]
async fn foreign_files_with_impossible_names_are_left_out() {
    let (_folder, store) = lake();
    store.put(put("a/b")).await.expect("it is put");
    fs::write(store.root.join("a/back\\slash"), "x").expect("it is writable");
    fs::write(store.root.join("line\nbreak"), "x").expect("it is writable");
    std::os::unix::fs::symlink("nowhere", store.root.join("dangling")).expect("links can be made");
    let names = super::super::list_all(&store, "").await.expect("it lists");
    assert_eq!(names.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["a/b"]);
}

#[tokio::test]
async fn a_listing_tells_by_its_tag_that_an_object_changed() {
    let (_folder, store) = lake();
    store.put(put("a")).await.expect("it is put");
    let before = super::super::list_all(&store, "").await.expect("it lists").remove(0);
    let body = super::super::Body::Bytes("y".into());
    let condition = super::super::Condition::Always;
    store.put(Put { body, condition, ..put("a") }).await.expect("it is put");
    let after = super::super::list_all(&store, "").await.expect("it lists").remove(0);
    assert_eq!(before.bytes, after.bytes);
    assert_ne!(before.etag, after.etag);
}

#[test]
fn without_hard_links_a_rename_creates_and_never_overwrites() {
    let folder = TempDir::new().expect("a temporary folder");
    let [one, two, name] = ["one", "two", "name"].map(|name| folder.path().join(name));
    fs::write(&one, "1").expect("it is writable");
    fs::write(&two, "2").expect("it is writable");
    publish::create_by_rename(&one, &name).expect("the name is free");
    let error = publish::create_by_rename(&two, &name).expect_err("the name is taken");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&name).expect("it is there"), b"1");
}

#[test]
fn what_the_system_says_becomes_a_kind_and_names_the_path() {
    for (code, kind) in [
        (rustix::io::Errno::NOSPC, ErrorKind::NoSpace),
        (rustix::io::Errno::DQUOT, ErrorKind::NoSpace),
        (rustix::io::Errno::ROFS, ErrorKind::AccessDenied),
        (rustix::io::Errno::ACCESS, ErrorKind::AccessDenied),
        (rustix::io::Errno::PERM, ErrorKind::AccessDenied),
        (rustix::io::Errno::NOENT, ErrorKind::NotFound),
        (rustix::io::Errno::ISDIR, ErrorKind::NotFound),
        (rustix::io::Errno::IO, ErrorKind::Io),
        (rustix::io::Errno::XDEV, ErrorKind::Io),
    ] {
        let error = io_error("write", Path::new("/lake/a"), io::Error::from(code));
        assert_eq!(error.kind(), kind, "{code:?}");
        assert!(error.to_string().starts_with("write /lake/a: "), "{error}");
    }
}

#[tokio::test]
async fn a_manifest_of_a_gibibyte_is_refused_without_being_read() {
    let (_folder, store) = lake();
    store.put(put("_hours/2026-11-22T04.json")).await.expect("it is put");
    let path = store.root.join("_hours/2026-11-22T05.json");
    fs::File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("it takes no room");
    let error = store.get(&key("_hours/2026-11-22T05.json")).await.expect_err("no manifest is so long");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(
        error.to_string().contains("2026-11-22T05.json") && error.to_string().contains("remove or replace it"),
        "{error}"
    );
}

/// Runs a store's work and fails if it waits for something that never comes. Nothing here is slow.
async fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_secs(60), work)
        .await
        .expect("it waits for something that never comes")
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a FIFO can be made");
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_by_its_name_and_waited_for_by_nobody() {
    let (_folder, store) = lake();
    store.put(put("a/regular")).await.expect("it is put");
    let [pipe, socket, device, link] = ["fifo", "socket", "device", "link"].map(|name| format!("a/{name}"));
    fifo(&store.root.join(&pipe));
    let _socket = std::os::unix::net::UnixListener::bind(store.root.join(&socket)).expect("a socket can be made");
    std::os::unix::fs::symlink("/dev/zero", store.root.join(&device)).expect("links can be made");
    std::os::unix::fs::symlink("fifo", store.root.join(&link)).expect("links can be made");
    for (name, what) in [(&pipe, "a FIFO"), (&socket, "a socket"), (&device, "a device"), (&link, "a FIFO")] {
        let key = key(name);
        let replacement = Put { condition: super::super::Condition::IfMatch(ETag("x".to_owned())), ..put(name) };
        let errors = [
            at_once(store.get(&key)).await.expect_err("nothing can be got"),
            at_once(store.head(&key)).await.expect_err("nothing can be seen"),
            at_once(store.read(&key, None)).await.expect_err("nothing can be read"),
            at_once(store.read(&key, Some(0..1))).await.expect_err("nothing can be read"),
            at_once(store.put(replacement)).await.expect_err("nothing can be replaced"),
            store.open(&key).expect_err("nothing can be opened"),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(name.as_str()) && error.to_string().contains(what), "{error}");
        }
        assert!(store.put(put(name)).await.is_err(), "its name is taken");
    }
    let listed = at_once(super::super::list_all(&store, "")).await.expect("it lists");
    assert_eq!(listed.len(), 5, "what is passed over in silence would look like an hour that is open");
}

#[tokio::test]
async fn a_fifo_in_the_place_of_the_lock_is_waited_for_by_nobody() {
    let (_folder, store) = lake();
    store.put(put("a")).await.expect("it is put");
    fifo(&store.root.join(HIDDEN).join("lock"));
    let replacement = Put { condition: super::super::Condition::Always, ..put("a") };
    at_once(store.put(replacement)).await.expect_err("nothing can be locked");
}

#[tokio::test]
async fn links_that_lead_round_in_a_circle_are_refused_by_their_name() {
    use std::os::unix::fs::symlink;
    let listings = [List::default(), List { folders: true, ..List::default() }];
    for target in [".", "..", "../..", "/proc/self/cwd/../.."] {
        let (_folder, store) = lake();
        store.put(put("a/b/c")).await.expect("it is put");
        symlink(target, store.root.join("a/b/round")).expect("links can be made");
        let all = at_once(super::super::list_all(&store, "")).await;
        if !target.starts_with('/') {
            let error = all.expect_err("it goes round");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains("a/b/round") && error.to_string().contains("remove it"), "{error}");
            // Elsewhere it is in nobody's way.
            store.put(put("d/e")).await.expect("it is put");
            assert_eq!(super::super::list_all(&store, "d/").await.expect("it lists").len(), 1);
        }
    }
    // Folders that link to each other, without an object that would end the search for one.
    let (_folder, store) = lake();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    names.iter().for_each(|name| fs::create_dir_all(store.root.join(name)).expect("it is writable"));
    for from in names {
        for to in names.into_iter().filter(|to| *to != from) {
            symlink(format!("../{to}"), store.root.join(from).join(format!("to-{to}"))).expect("links can be made");
        }
    }
    for list in listings {
        let error = at_once(store.list(&list)).await.expect_err("it goes round");
        assert!(error.to_string().contains("/to-"), "{error}");
    }
    let itself = store.root.join("itself");
    symlink("itself", &itself).expect("links can be made");
    let error = at_once(store.get(&key("itself"))).await.expect_err("it leads to itself");
    assert!(error.to_string().contains("itself"), "{error}");
}

#[tokio::test]
async fn a_linked_folder_elsewhere_is_listed_as_its_own() {
    let (folder, store) = lake();
    store.put(put("a/b")).await.expect("it is put");
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("it is writable");
    fs::write(elsewhere.join("c"), "x").expect("it is writable");
    std::os::unix::fs::symlink(&elsewhere, store.root.join("a/linked")).expect("links can be made");
    let listed = super::super::list_all(&store, "").await.expect("it lists");
    assert_eq!(listed.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["a/b", "a/linked/c"]);
}

#[tokio::test]
async fn a_file_that_changed_after_its_checksum_was_made_becomes_no_object() {
    use super::super::{Body, Condition};
    let (folder, store) = lake();
    let path = folder.path().join("sealed");
    fs::write(&path, "other").expect("it is writable");
    let hash = |content: &str| Some(hex(&Sha256::digest(content)));
    // The fast checksum decides where it is known, the hash elsewhere.
    for (sha256, crc64) in [(hash("right"), None), (hash("other"), Some(Crc64::of(b"right")))] {
        let body = Body::File { path: path.clone(), bytes: 5, crc64 };
        let put = Put { key: key("a"), body, condition: Condition::IfAbsent, sha256 };
        let error = store.put(put).await.expect_err("its checksum is another");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("sealed"), "{error}");
        assert!(super::super::list_all(&store, "").await.expect("it lists").is_empty());
    }
}
