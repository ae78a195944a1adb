//! One attack, and what it costs a bystander.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    bystander::Client,
    options::Options,
    process::{Process, Times},
    visitors::{self, Visits},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Longer than any attack keeps anybody waiting, and longer than the server's main thread hangs.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long the bystander is alone before the attack.
const CALM: Duration = Duration::from_millis(300);
/// Until the attack is under way.
const START: Duration = Duration::from_secs(30);
/// Attackers yield to those who are measured: waiting for a processor is none of the server's work.
const NICE: &str = "10";

/// What round trips took.
#[derive(Debug, Default)]
struct Trips {
    count: u32,
    times: Times,
    longest: Duration,
    longest_wait: Duration,
}

impl Trips {
    fn measure(&mut self, process: &Process, trip: impl FnOnce() -> Result<()>) -> Result<()> {
        let (before, began) = (process.times(), Instant::now());
        trip()?;
        let took = process.times().since(before);
        self.count += 1;
        self.times.main += took.main;
        self.times.io += took.io;
        self.longest = self.longest.max(took.main).max(took.io);
        self.longest_wait = self.longest_wait.max(began.elapsed());
        Ok(())
    }

    fn print(&self, name: &str) {
        let count = f64::from(self.count.max(1));
        let mean = |time: Duration| time.as_secs_f64() * 1000.0 / count;
        println!("{name}s {}", self.count);
        println!("{name}_io_ms {:.3}", mean(self.times.io));
        println!("{name}_main_ms {:.3}", mean(self.times.main));
        println!("{name}_longest_ms {:.3}", self.longest.as_secs_f64() * 1000.0);
        println!("{name}_wait_ms {:.3}", self.longest_wait.as_secs_f64() * 1000.0);
    }
}

/// What is to be the same before and after.
#[derive(Debug)]
struct State {
    descriptors: usize,
    threads: usize,
    resident: u64,
    objects: i64,
}

impl State {
    fn of(process: &Process, bystander: &mut Client) -> Result<Self> {
        Ok(Self {
            objects: bystander.ask("!objects")?.parse()?,
            descriptors: process.descriptors(),
            threads: process.threads(),
            resident: process.resident(),
        })
    }
}

/// Prints what the server holds.
pub(crate) fn state(options: &Options) -> Result<()> {
    let process = Process::new(options.pid)?;
    let mut bystander = Client::connect(options, PATIENCE)?;
    let State { descriptors, threads, resident, objects } = State::of(&process, &mut bystander)?;
    println!("descriptors {descriptors}\nthreads {threads}\nresident_kib {resident}\nobjects {objects}");
    bystander.close()
}

/// Attacks, measures, and prints what came of it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let process = Process::new(options.pid)?;
    match measure(options, &process) {
        Ok(()) => println!("lost 0"),
        Err(error) => {
            println!("lost 1\nerror {}", error.to_string().replace('\n', " "));
            if !process.is_running() {
                println!("crashed 1");
            }
        }
    }
    Ok(())
}

fn measure(options: &Options, process: &Process) -> Result<()> {
    let mut bystander = Client::connect(options, PATIENCE)?;
    let mut calm = Trips::default();
    let calm_until = Instant::now() + CALM;
    while Instant::now() < calm_until {
        calm.measure(process, || bystander.ping())?;
        bystander.send_message()?;
        bystander.wait_for_messages()?;
    }
    calm.print("calm");
    let before = State::of(process, &mut bystander)?;
    process.forget_peak();
    if options.broadcast > 0 {
        bystander.ask(&format!("!broadcast {}", options.broadcast))?;
    }
    let mut flood = start(options)?;
    if !options.hang.is_zero() {
        bystander.ask(&format!("!hang {}", options.hang.as_secs_f64()))?;
    }
    let visitors = invite(options);
    watch(options, process, &mut bystander, &mut flood)?;
    if options.broadcast > 0 {
        bystander.ask("!broadcast 0")?;
        println!("broadcasts {}", bystander.broadcasts());
    }
    println!("memory_mib {:.1}", mib(process.peak(), before.resident));
    visitors.finish()?.print();
    settle(options, process, &mut bystander, &before)?;
    let (sent, returned) = bystander.messages();
    println!("sent {sent}\nreturned {returned}");
    bystander.close()
}

/// Starts the attackers as a process of their own and waits until they attack.
fn start(options: &Options) -> Result<Attack> {
    let own = env::current_exe()?;
    let mut child = Command::new("nice")
        .args(["-n", NICE])
        .arg(own)
        .arg("flood")
        .arg(format!("class={}", options.class))
        .arg(format!("port={}", options.port))
        .arg(format!("peers={}", options.peers))
        .arg(format!("seconds={}", options.time.max(options.hang).as_secs_f64()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut output = BufReader::new(child.stdout.take().ok_or("no output of the attackers")?);
    let began = Instant::now();
    let mut line = String::new();
    output.read_line(&mut line)?;
    if line.trim() != "READY" || began.elapsed() > START {
        _ = child.kill();
        return Err(format!("the attack did not begin: {line}").into());
    }
    Ok(Attack { child, output })
}

/// The attackers' process.
struct Attack {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Attack {
    fn is_over(&mut self) -> bool {
        self.child.try_wait().map_or(true, |status| status.is_some())
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The bystander's round trips while the attack lasts.
fn watch(options: &Options, process: &Process, bystander: &mut Client, flood: &mut Attack) -> Result<()> {
    let (mut pings, mut messages) = (Trips::default(), Trips::default());
    let mut refused_files = 0;
    while !flood.is_over() {
        pings.measure(process, || bystander.ping())?;
        if options.opens_files && bystander.ask("!open")? != "0" {
            refused_files += 1;
        }
        if options.hang.is_zero() {
            messages.measure(process, || {
                bystander.send_message()?;
                bystander.wait_for_messages()
            })?;
        } else {
            // Comes back when the server's main thread goes on.
            bystander.send_message()?;
            thread::sleep(Duration::from_millis(20));
        }
    }
    bystander.wait_for_messages()?;
    pings.print("ping");
    messages.print("message");
    println!("refused_files {refused_files}");
    let mut rest = String::new();
    flood.output.read_to_string(&mut rest)?;
    print!("{rest}");
    Ok(())
}

/// Waits until the server is as it was before.
fn settle(options: &Options, process: &Process, bystander: &mut Client, before: &State) -> Result<()> {
    let began = Instant::now();
    loop {
        let after = State::of(process, bystander)?;
        let is_settled = after.descriptors <= before.descriptors
            && after.threads <= before.threads
            && after.objects <= before.objects;
        if is_settled || began.elapsed() >= options.settle {
            println!("settled_s {:.1}", began.elapsed().as_secs_f64());
            println!("left_descriptors {}", after.descriptors as i64 - before.descriptors as i64);
            println!("left_threads {}", after.threads as i64 - before.threads as i64);
            println!("left_objects {}", after.objects - before.objects);
            println!("left_mib {:.1}", mib(after.resident, before.resident));
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn mib(now: u64, before: u64) -> f64 {
    (now as f64 - before as f64) / 1024.0
}

/// Honest clients that come while the attack lasts.
struct Guests {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Visits>,
}

fn invite(options: &Options) -> Guests {
    let is_over = Arc::new(AtomicBool::new(false));
    let (options, flag) = (options.clone(), Arc::clone(&is_over));
    let thread = thread::spawn(move || visitors::come_and_go(&options, &flag));
    Guests { is_over, thread }
}

impl Guests {
    fn finish(self) -> Result<Visits> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the visitors' thread has ended".into())
    }
}
