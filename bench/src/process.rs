//! The processes under test: started, waited for, looked at through `/proc`, and stopped.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

/// How long a process may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// How long a process may take to end after it was asked to.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Linux counts CPU time in hundredths of a second (USER_HZ).
const TICK: Duration = Duration::from_millis(10);

/// A server process; killed when dropped.
pub struct Process {
    child: Child,
    pub address: String,
    /// From the moment it was started until it answered `/healthz` or accepted a connection.
    pub started_in: Duration,
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Process {
    /// Starts a server and waits until it accepts connections on the port.
    pub fn start(command: &mut Command, port: u16, log: &Path) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{port}");
        let log_file = fs::File::create(log)?;
        let began = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let mut process = Self { child, address, started_in: Duration::ZERO };
        while TcpStream::connect(&process.address).is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("{command:?} ended with {status}: {}", fs::read_to_string(log)?);
            }
            ensure!(began.elapsed() < START_MAX, "{command:?} does not listen: {}", fs::read_to_string(log)?);
            sleep(Duration::from_millis(1));
        }
        process.started_in = began.elapsed();
        Ok(process)
    }

    /// The CPU time that the process has used, in user and kernel mode.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, after_name) = stat.rsplit_once(')').context("no name in stat")?;
        // Fields 14 and 15 of proc(5); field 3 is the first one here.
        let ticks: u32 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
        Ok(TICK * ticks)
    }

    /// What the process has in memory, in KiB.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Asks the process to end, as a service manager does, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        ensure!(asked.success(), "kill: {asked}");
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(began.elapsed() < STOP_MAX, "the process does not end");
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
