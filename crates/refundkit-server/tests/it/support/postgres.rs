//! A PostgreSQL server for the tests: one for the whole run, on a port of its own, with a database for each that asks.
//!
//! A shell waits for the end of this process, however it comes, and then stops the server and removes its data.

use std::{
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use refundkit_server::config::{DatabaseUrl, parse_database_url};

/// Starts a server in the folder `$1` on the port `$2` with the programs in `$3`, says so, and waits for the end of its input.
/// PostgreSQL refuses to run as root: then it is Debian's user `postgres` that runs it.
const KEEPER: &str = r#"
set -eu
folder=$1 port=$2 programs=$3
as() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
stop() { as "$programs/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$folder"; }
trap stop EXIT
trap '' INT
if [ "$(id -u)" -eq 0 ]; then chown postgres "$folder"; fi
cd /
as "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1
as tee -a "$folder/data/postgresql.conf" >/dev/null <<SETTINGS
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 400
fsync = off
SETTINGS
as "$programs/pg_ctl" -D "$folder/data" -w -l "$folder/data/log" start >/dev/null
echo ready
cat >/dev/null
"#;

/// A server that runs until this process ends.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    folder: PathBuf,
    programs: PathBuf,
    // Its input is held open: the end of it is what stops the server.
    _keeper: Child,
}

/// The server of this run.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

/// A database of its own on the server of this run.
pub(crate) async fn new_database() -> DatabaseUrl {
    tokio::task::spawn_blocking(|| server().new_database()).await.unwrap()
}

impl Postgres {
    /// Starts a server of its own.
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("refundkit-postgres-").tempdir().unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut keeper = Command::new("bash")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(port.to_string())
            .arg(&programs)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0_u8; 6];
        let read = keeper.stdout.take().unwrap().read_exact(&mut ready);
        let log = || std::fs::read_to_string(folder.join("initdb.log")).unwrap_or_default();
        assert!(read.is_ok() && &ready == b"ready\n", "PostgreSQL did not start: {}", log());
        Self { port, folder, programs, _keeper: keeper }
    }

    /// Makes an empty database.
    pub(crate) fn new_database(&self) -> DatabaseUrl {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("refundkit_{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        parse_database_url(&self.url(&name)).unwrap()
    }

    /// The address of a database.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL; answers what it prints.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-v", "ON_ERROR_STOP=1", "-X", "-q", "-t", "-A", "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Stops the server as a crash would, and starts it again.
    pub(crate) fn restart(&self) {
        let data = self.folder.join("data");
        for words in [["-m", "immediate", "stop"].as_slice(), &["-w", "-l", "log", "start"]] {
            let mut command = self.as_its_user("pg_ctl");
            let status = command.arg("-D").arg(&data).args(words).current_dir(&data).stdout(Stdio::null()).status();
            assert!(status.unwrap().success(), "pg_ctl {words:?}");
        }
    }

    fn as_its_user(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if !is_root {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    }
}

/// The folder of PostgreSQL's programs: where Debian puts them, the newest version.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").map(|entries| entries.flatten().collect::<Vec<_>>());
    let newest = versions.unwrap_or_default().into_iter().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        Path::new(&programs.join("postgres")).exists().then_some((version, programs))
    });
    let newest = newest.max_by_key(|(version, _)| *version);
    let Some((_, programs)) = newest else {
        panic!("PostgreSQL is not installed: ./scripts/tools installs it (Debian's package `postgresql`)")
    };
    programs
}
