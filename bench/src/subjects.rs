//! What is measured: the ceiling and RefundKit, each against the same instant processor, each with a database of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::{
    load::{Client, request},
    process::{Process, free_port},
};

/// Where the programs are, and where they may write.
pub struct Places {
    pub refundkit: PathBuf,
    pub tools: PathBuf,
    pub data: PathBuf,
}

/// A running server that makes refunds.
pub struct Subject {
    pub name: &'static str,
    pub process: Process,
    pub key: String,
}

pub fn start_stripe(places: &Places) -> anyhow::Result<Process> {
    let port = free_port()?;
    let mut command = Command::new(places.tools.join("instant-stripe"));
    Process::start(command.arg(port.to_string()), port, &places.data.join("instant-stripe.log"))
}

pub fn start_ceiling(places: &Places, stripe: &Process) -> anyhow::Result<Subject> {
    let port = free_port()?;
    let mut command = Command::new(places.tools.join("ceiling"));
    command.arg(port.to_string()).arg(format!("http://{}", stripe.address)).arg(places.data.join("ceiling.db"));
    let process = Process::start(&mut command, port, &places.data.join("ceiling.log"))?;
    Ok(Subject { name: "ceiling", process, key: "none".to_owned() })
}

/// RefundKit on its own folder: `setup` once, then `serve` as often as one likes.
pub struct RefundKit {
    program: PathBuf,
    folder: PathBuf,
    stripe: String,
    key: String,
}

impl RefundKit {
    pub fn set_up(places: &Places, stripe: &Process) -> anyhow::Result<Self> {
        let folder = places.data.join("refundkit");
        std::fs::create_dir_all(&folder)?;
        let program = std::fs::canonicalize(&places.refundkit).context("the program under test")?;
        let mut new = Self { program, folder, stripe: format!("http://{}", stripe.address), key: String::new() };
        let setup = new
            .command()
            .args(["setup", "--organization", "Bench", "--email", "bench@example.com", "--json"])
            .output()?;
        ensure!(setup.status.success(), "setup: {}", String::from_utf8_lossy(&setup.stderr));
        let made: Value = serde_json::from_slice(&setup.stdout)?;
        new.key = made["testKey"].as_str().context("setup names no testKey")?.to_owned();
        Ok(new)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.folder)
            .env("REFUNDKIT_DATABASE_URL", "sqlite://refundkit.db")
            .env("REFUNDKIT_MASTER_KEY_FILE", "master.key")
            .env("REFUNDKIT_STRIPE_API_BASE", &self.stripe)
            .env("REFUNDKIT_RATE_LIMIT", "0")
            .env("REFUNDKIT_METRICS_LISTEN", "127.0.0.1:0");
        command
    }

    pub fn serve(&self) -> anyhow::Result<Subject> {
        let port = free_port()?;
        let mut command = self.command();
        command.arg("serve").env("REFUNDKIT_LISTEN", format!("127.0.0.1:{port}"));
        let process = Process::start(&mut command, port, &self.folder.join("serve.log"))?;
        Ok(Subject { name: "RefundKit", process, key: self.key.clone() })
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("refundkit.db")
    }
}

impl Subject {
    /// One request outside the measurement.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>, expected: u16) -> anyhow::Result<Value> {
        let body = body.map(|body| body.to_string());
        let mut client = Client::connect(&self.process.address).await?;
        let answer = client.ask(&request(method, path, &self.key, body.as_deref())).await?;
        ensure!(answer.status == expected, "{} {method} {path}: {} {}", self.name, answer.status, answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Connects Stripe, as an operator would.
    pub async fn connect_stripe(&self) -> anyhow::Result<()> {
        let key = json!({"secretKey": "sk_test_bench00000000000000000000"});
        self.ask("PUT", "/v1/processors/stripe", Some(key), 200).await.map(|_| ())
    }
}

/// The nth create of a run: a charge of its own each time, so that no refund stands in another's way.
pub fn create(run: &str, key: &str, number: u64) -> Vec<u8> {
    let body = format!(
        r#"{{"transactionId":"ch_{run}x{number}","amount":2500,"currency":"usd","reason":"product_defective"}}"#
    );
    request("POST", "/v1/refunds", key, Some(&body))
}

/// How long one durable write of a page takes here, as the median of many: the floor under every commit.
pub fn disk_flush_us(folder: &Path) -> anyhow::Result<u64> {
    use std::{io::Write as _, time::Instant};
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(began.elapsed().as_micros() as u64);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
