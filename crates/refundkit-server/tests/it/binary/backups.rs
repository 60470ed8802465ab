//! `backup` and `restore`: whole files only, while servers run and after they are gone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    installation::{Installation, Served},
    program::{mode, paste, refunds_at_stripe},
};
use crate::support::postgres;

const REFUNDKIT: &str = env!("CARGO_BIN_EXE_refundkit");
/// A file of this size is as large as the full disk lets it be.
const FULL_BYTES: u64 = 48 * 1024;
const CHARGE: &str = "ch_1N4HbSKz9cXRvFYr";

async fn create(serving: &Served, amount: i64) -> String {
    let body = json!({ "transactionId": CHARGE, "amount": amount, "reason": "other" });
    let answer = serving.request(Method::POST, "/v1/refunds").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json::<Value>().await.unwrap()["data"]["id"].as_str().unwrap().to_owned()
}

async fn knows(serving: &Served, id: &str) -> bool {
    serving.get(&format!("/v1/refunds/{id}")).await["error"].is_null()
}

/// The names in a folder that begin so.
fn names(folder: &Path, beginning: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(beginning)).collect();
    names.sort();
    names
}

fn rows_of(told: &Value, table: &str) -> u64 {
    let tables = told["tables"].as_array().unwrap();
    tables.iter().find(|counted| counted["table"] == table).unwrap()["rows"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_server_can_be_put_back_and_so_can_what_it_replaced() {
    let installation = Installation::new();
    let (folder, database) = (installation.folder.path(), installation.database());
    let mut serving = installation.serve();
    serving.connect_stripe().await;
    let before = create(&serving, 100).await;

    // Refunds are made while the file is written.
    let busy = {
        let making: Vec<_> = (0..20)
            .map(|n| {
                let body = json!({ "transactionId": "ch_1SandboxYen", "amount": 10 + n, "reason": "other" });
                tokio::spawn(serving.request(Method::POST, "/v1/refunds").json(&body).send())
            })
            .collect();
        let told = installation.run("backup backup.db --json").json();
        for made in making {
            assert_eq!(made.await.unwrap().unwrap().status(), 201);
        }
        told
    };
    let file = folder.join("backup.db");
    assert_eq!((mode(&file), busy["bytes"].as_u64().unwrap()), (0o600, fs::metadata(&file).unwrap().len()));
    assert_eq!(names(folder, "backup.db"), ["backup.db"], "nothing is left beside it");
    assert!((1..=21).contains(&rows_of(&busy, "refunds")), "{busy}");
    assert_eq!((rows_of(&busy, "organizations"), rows_of(&busy, "connections")), (1, 1));
    let content = fs::read(&file).unwrap();
    assert_eq!(content[18..20], [1, 1], "one file, which needs no log beside it");
    let key = fs::read_to_string(folder.join(".refundkit/master.key")).unwrap();
    let has = |secret: &[u8]| content.windows(secret.len()).any(|window| window == secret);
    assert!(!has(key.trim().as_bytes()) && !has(&hex::decode(key.trim()).unwrap()), "the master key is not in it");

    let again = installation.run("backup backup.db");
    assert!(again.failed(1).contains("backup.db exists already"), "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), content);

    let after = create(&serving, 200).await;
    let refused = installation.run("restore backup.db");
    assert!(refused.failed(1).contains("a server (process") && refused.stderr.contains("Stop it first"), "{refused:?}");
    assert!(knows(&serving, &after).await);
    serving.program.signal("TERM");
    serving.program.ended();

    let restored = installation.run("restore backup.db");
    for words in ["refundkit.db.replaced-", "`refundkit reconcile` shows them", "The master key is not in a backup"] {
        assert!(restored.done().contains(words), "{words:?} is not in: {}", restored.stdout);
    }
    assert_eq!((mode(&database), fs::read(&file).unwrap()), (0o600, content), "the backup stays as it is");
    let mut serving = installation.serve();
    assert!(knows(&serving, &before).await && !knows(&serving, &after).await);
    assert_eq!(refunds_at_stripe(&installation.sandbox.url, CHARGE).await.len(), 2, "Stripe has both");
    serving.program.signal("TERM");
    serving.program.ended();

    let kept = names(&folder.join(".refundkit"), "refundkit.db.replaced-");
    let [kept] = &kept[..] else { panic!("not one file: {kept:?}") };
    let told = installation.run(&format!("restore .refundkit/{kept} --json")).json();
    assert!(told["replaced"].as_str().unwrap().contains("refundkit.db.replaced-"), "{told}");
    let serving = installation.serve();
    assert!(knows(&serving, &before).await && knows(&serving, &after).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_in_the_log_of_a_killed_server_is_kept_with_the_database_that_is_replaced() {
    let installation = Installation::new();
    installation.run("backup empty.db").done();
    let serving = installation.serve();
    serving.connect_stripe().await;
    let refund = create(&serving, 100).await;
    serving.program.kill();
    let log = installation.folder.path().join(".refundkit/refundkit.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0, "the refund is in the log");

    let told = installation.run("restore empty.db --json").json();
    assert!(!log.exists(), "a log of another database must not be played into the restored one");
    let mut serving = installation.serve();
    assert!(!knows(&serving, &refund).await);
    serving.program.signal("TERM");
    serving.program.ended();
    let replaced = PathBuf::from(told["replaced"].as_str().unwrap());
    installation.run(&format!("restore {}", replaced.display())).done();
    assert!(knows(&installation.serve(), &refund).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_database_that_is_gone_is_not_played_into_the_restored_one() {
    let installation = Installation::new();
    installation.run("backup empty.db").done();
    let serving = installation.serve();
    serving.connect_stripe().await;
    let refund = create(&serving, 100).await;
    serving.program.kill();
    fs::remove_file(installation.database()).unwrap();
    installation.run("restore empty.db").done();
    let serving = installation.serve();
    assert!(!knows(&serving, &refund).await);
    serving.connect_stripe().await;
}

#[test]
fn a_database_that_another_program_has_open_is_not_replaced() {
    let installation = Installation::new();
    installation.run("backup good.db").done();
    let other = rusqlite::Connection::open(installation.database()).unwrap();
    other.pragma_update(None, "journal_mode", "WAL").unwrap();
    let refused = installation.run("restore good.db");
    assert!(refused.failed(1).contains("another program has"), "{refused:?}");
    let kept = names(&installation.folder.path().join(".refundkit"), "refundkit.db.");
    assert_eq!(kept, ["refundkit.db.lock"], "nothing was set aside");
    drop(other);
    installation.run("restore good.db").done();
}

#[test]
fn what_is_no_whole_backup_is_not_restored_and_changes_nothing() {
    let installation = Installation::new();
    let (folder, database) = (installation.folder.path(), installation.database());
    installation.run("backup good.db").done();
    let good = fs::read(folder.join("good.db")).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(folder.join(name), content).unwrap();
    write("text.db", b"these are my backups");
    write("empty.db", b"");
    write("half.db", &good[..good.len() / 2]);
    let mut damaged = good.clone();
    // Everything but the first page, which describes the tables.
    damaged[4096..].fill(0x5a);
    write("damaged.db", &damaged);
    write("newer.db", &good);
    let newer = rusqlite::Connection::open(folder.join("newer.db")).unwrap();
    newer.pragma_update(None, "user_version", 1000).unwrap();
    drop(newer);
    let foreign = rusqlite::Connection::open(folder.join("foreign.db")).unwrap();
    foreign.execute_batch("CREATE TABLE cats (name TEXT); PRAGMA user_version = 1").unwrap();
    drop(foreign);

    let before = fs::read(&database).unwrap();
    for (name, words) in [
        ("absent.db", "No such file"),
        ("text.db", "no database of RefundKit"),
        ("empty.db", "no database of RefundKit"),
        ("foreign.db", "no database of RefundKit"),
        ("newer.db", "made by a newer version of RefundKit"),
        ("half.db", "half.db: "),
        ("damaged.db", "damaged.db: "),
        (".refundkit/refundkit.db", "is the database itself"),
    ] {
        let refused = installation.run(&format!("restore {name}"));
        assert!(refused.failed(1).contains(words), "{name}: {refused:?}");
        assert_eq!(fs::read(&database).unwrap(), before, "{name}");
    }
    let left = names(&folder.join(".refundkit"), "refundkit.db");
    assert_eq!(left, ["refundkit.db", "refundkit.db.lock"], "nothing is left beside the database");
    installation.serve();
}

#[test]
fn a_backup_that_finds_no_room_leaves_nothing_under_any_name() {
    let installation = Installation::new();
    let folder = installation.folder.path();
    assert!(fs::metadata(installation.database()).unwrap().len() > FULL_BYTES);
    let script = format!("trap '' XFSZ; ulimit -f {}; exec {REFUNDKIT} backup backup.db", FULL_BYTES / 512);
    let failed = paste(folder, &script);
    assert!(failed.failed(1).starts_with("error: "), "{failed:?}");
    assert_eq!(names(folder, "backup.db"), Vec::<String>::new());
    installation.run("backup backup.db").done();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_backups_are_made_with_its_own_tools() {
    let installation = Installation::on(&postgres::new_database().await);
    for (line, tool) in [("backup backup.db", "pg_dump"), ("restore backup.db", "pg_restore")] {
        assert!(installation.run(line).failed(1).contains(tool), "{line}");
    }
}
