//! Measures RefundKit beside a ceiling and prints a table in Markdown. `./bench/run` builds everything and calls this.
//!
//! Both subjects take turns within each round, because machines drift; what counts are the ratios, and CPU time for each
//! request. Absolute numbers belong to the machine that printed them.

mod load;
mod process;
mod subjects;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use load::{Load, Plan, request};
use process::Process;
use serde_json::json;
use subjects::{Places, RefundKit, Subject};

const CLIENTS: [usize; 3] = [1, 8, 32];
const READ_CLIENTS: usize = 8;
const STARTS: usize = 7;
const WARM_UP: Duration = Duration::from_millis(500);
/// How long a server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

struct Options {
    places: Places,
    seconds: u64,
    rounds: usize,
    clients: Vec<usize>,
}

/// Each run of one subject at one number of clients, with the CPU time each request took.
#[derive(Default)]
struct Runs {
    loads: Vec<Load>,
    cpu_us: Vec<f64>,
}

fn options() -> anyhow::Result<Options> {
    let mut places = Places { refundkit: PathBuf::new(), tools: PathBuf::new(), data: PathBuf::new() };
    let (mut seconds, mut rounds, mut clients) = (4, 3, CLIENTS.to_vec());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--refundkit" => places.refundkit = value.into(),
            "--tools" => places.tools = value.into(),
            "--data" => places.data = value.into(),
            "--seconds" => seconds = value.parse()?,
            "--rounds" => rounds = value.parse::<usize>()?.max(1),
            "--clients" => clients = numbers(&value).context("--clients takes numbers above 0, with commas between")?,
            _ => {
                anyhow::bail!(
                    "unknown option {name}; known: --refundkit, --tools, --data, --seconds, --rounds, --clients"
                )
            }
        }
    }
    Ok(Options { places, seconds, rounds, clients })
}

fn numbers(text: &str) -> Option<Vec<usize>> {
    text.split(',').map(|word| word.parse().ok().filter(|number| *number > 0)).collect()
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Runs {
    async fn add(
        &mut self,
        subject: &Subject,
        plan: &Plan,
        next: impl Fn(u64) -> Vec<u8> + 'static,
    ) -> anyhow::Result<u64> {
        let cpu_before = subject.process.cpu()?;
        let load = load::run(plan, next).await.with_context(|| subject.name)?;
        let cpu = subject.process.cpu()? - cpu_before;
        let requests = load.requests_in_all;
        let cpu_us = cpu.as_secs_f64() * 1e6 / requests as f64;
        // Every run, as it was: a median tells nothing of how far they lie apart.
        eprintln!(
            "{:>9}, {} clients: {:.0} per second, {cpu_us:.0} µs each",
            subject.name,
            plan.clients,
            load.per_second()
        );
        self.cpu_us.push(cpu_us);
        self.loads.push(load);
        Ok(requests)
    }

    fn per_second(&self) -> f64 {
        median(self.loads.iter().map(Load::per_second).collect())
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        median(self.loads.iter().map(|load| load.percentile_us(percent) as f64 / 1000.0).collect())
    }

    /// The median of the ratios of runs that took turns.
    fn ratio_to(&self, other: &Self) -> f64 {
        median(
            self.loads.iter().zip(&other.loads).map(|(ours, theirs)| ours.per_second() / theirs.per_second()).collect(),
        )
    }

    fn row(&self, what: &str, name: &str, ratio: &str) {
        println!(
            "| {what} | {name} | {:.0} | {ratio} | {:.2} | {:.2} | {:.0} |",
            self.per_second(),
            self.percentile_ms(50),
            self.percentile_ms(99),
            median(self.cpu_us.clone()),
        );
    }
}

fn heading() {
    println!("| what | who | per second | of the ceiling | p50 ms | p99 ms | CPU µs each |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
}

fn both_rows(what: &str, ceiling: &Runs, ours: &Runs) {
    ceiling.row(what, "ceiling", "1.00");
    ours.row(what, "RefundKit", &format!("{:.2}", ours.ratio_to(ceiling)));
}

async fn upstream_calls(stripe: &Process) -> anyhow::Result<u64> {
    let mut client = load::Client::connect(&stripe.address).await?;
    Ok(client.ask(&request("GET", "/calls", "none", None)).await?.body.parse()?)
}

/// Creates at each number of clients; answers how many upstream calls a create of RefundKit took.
async fn measure_creates(options: &Options, stripe: &Process, subjects: [&Subject; 2]) -> anyhow::Result<f64> {
    let (mut calls, mut creates) = (0, 0);
    for &clients in &options.clients {
        let mut runs = [Runs::default(), Runs::default()];
        for round in 0..options.rounds {
            for (subject, runs) in subjects.into_iter().zip(&mut runs) {
                let plan = Plan {
                    address: subject.process.address.clone(),
                    clients,
                    warm_up: WARM_UP,
                    duration: Duration::from_secs(options.seconds),
                    expected_status: 201,
                };
                let (run, key) = (format!("{clients}r{round}"), subject.key.clone());
                let calls_before = upstream_calls(stripe).await?;
                let made = runs.add(subject, &plan, move |number| subjects::create(&run, &key, number)).await?;
                if subject.name == "RefundKit" {
                    calls += upstream_calls(stripe).await? - calls_before;
                    creates += made;
                }
            }
        }
        let [ceiling, ours] = &runs;
        both_rows(&format!("create, {clients} client{}", if clients == 1 { "" } else { "s" }), ceiling, ours);
    }
    Ok(calls as f64 / creates as f64)
}

async fn measure_reads(options: &Options, subjects: [&Subject; 2]) -> anyhow::Result<()> {
    let mut runs = [Runs::default(), Runs::default()];
    let mut paths = Vec::new();
    for subject in subjects {
        let body = json!({"transactionId": "ch_read", "amount": 2500, "currency": "usd", "reason": "other"});
        let refund = subject.ask("POST", "/v1/refunds", Some(body), 201).await?;
        paths.push(format!("/v1/refunds/{}", refund["data"]["id"].as_str().context("a refund has an id")?));
    }
    for _ in 0..options.rounds {
        for ((subject, runs), path) in subjects.into_iter().zip(&mut runs).zip(&paths) {
            let plan = Plan {
                address: subject.process.address.clone(),
                clients: READ_CLIENTS,
                warm_up: WARM_UP,
                duration: Duration::from_secs(options.seconds),
                expected_status: 200,
            };
            let bytes = request("GET", path, &subject.key, None);
            runs.add(subject, &plan, move |_| bytes.clone()).await?;
        }
    }
    let [ceiling, ours] = &runs;
    both_rows(&format!("read, {READ_CLIENTS} clients"), ceiling, ours);
    Ok(())
}

fn machine(options: &Options) -> anyhow::Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown processor");
    let flush = subjects::disk_flush_us(&options.places.data)?;
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{cores} cores ({}), one durable write {flush} µs", model.trim_start_matches(['\t', ' ', ':'])))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = options()?;
    if options.places.data.exists() {
        std::fs::remove_dir_all(&options.places.data)?;
    }
    std::fs::create_dir_all(&options.places.data)?;
    println!("{}; {} s a run, median of {} runs.\n", machine(&options)?, options.seconds, options.rounds);

    let stripe = subjects::start_stripe(&options.places)?;
    let ceiling = subjects::start_ceiling(&options.places, &stripe)?;
    let refundkit = RefundKit::set_up(&options.places, &stripe)?;
    let ours = refundkit.serve()?;
    tokio::time::sleep(IDLE).await;
    let idle_when_new = ours.process.resident_kib()?;
    ours.connect_stripe().await?;

    heading();
    let calls = measure_creates(&options, &stripe, [&ceiling, &ours]).await?;
    measure_reads(&options, [&ceiling, &ours]).await?;
    let after_load = ours.process.resident_kib()?;
    ours.process.stop()?;

    let mut starts = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..STARTS {
        let again = refundkit.serve()?;
        starts.push(again.process.started_in.as_secs_f64() * 1000.0);
        if idle.is_empty() {
            tokio::time::sleep(IDLE).await;
            idle.push(again.process.resident_kib()?);
        }
        again.process.stop()?;
    }
    let mib = |kib: u64| kib as f64 / 1024.0;
    println!("\n| RefundKit | |\n| --- | ---: |");
    println!("| upstream calls for a create | {calls:.2} |");
    println!("| resident, idle, new database | {:.1} MiB |", mib(idle_when_new));
    println!("| resident, right after the load | {:.1} MiB |", mib(after_load));
    println!("| resident, idle, on that database | {:.1} MiB |", mib(idle[0]));
    println!("| start until it listens, on that database | {:.0} ms |", median(starts));
    println!("| that database | {:.0} MiB |", std::fs::metadata(refundkit.database())?.len() as f64 / 1024.0 / 1024.0);
    Ok(())
}
