//! Honest clients that come, say something, hear it, and go.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{bystander::Client, options::Options};

/// What one waits for each step of getting in and being answered.
const PATIENCE: Duration = Duration::from_secs(10);
const MESSAGES: usize = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// How many came, and for how many it did not work.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    count: u32,
    failed: u32,
    longest: Duration,
    last_error: String,
}

impl Visits {
    pub(crate) fn print(&self) {
        println!("visitors {}\nvisitors_failed {}", self.count, self.failed);
        println!("visitors_wait_ms {:.1}", self.longest.as_secs_f64() * 1000.0);
        if self.failed > 0 {
            println!("visitors_error {}", self.last_error.replace('\n', " "));
        }
    }

    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.longest = self.longest.max(other.longest);
        if other.failed > 0 {
            self.last_error = other.last_error;
        }
    }
}

/// One after the other until the flag says that it is over.
pub(crate) fn come_and_go(options: &Options, is_over: &AtomicBool) -> Visits {
    let mut visits = Visits::default();
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        visits.count += 1;
        if let Err(error) = visit_once(options) {
            visits.failed += 1;
            visits.last_error = error.to_string();
        }
        visits.longest = visits.longest.max(began.elapsed());
        thread::sleep(PAUSE);
    }
    visits
}

fn visit_once(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(options, PATIENCE.max(2 * options.hang))?;
    for _ in 0..MESSAGES {
        client.send_message()?;
    }
    client.wait_for_messages()?;
    client.close()
}

/// Several at a time, for a while.
pub(crate) fn visit(options: &Options) -> Result<(), Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..options.peers)
        .map(|_| {
            let (options, is_over) = (options.clone(), Arc::clone(&is_over));
            thread::spawn(move || come_and_go(&options, &is_over))
        })
        .collect();
    thread::sleep(options.time);
    is_over.store(true, Ordering::Relaxed);
    let mut sum = Visits::default();
    for thread in threads {
        sum.add(thread.join().map_err(|_| "a visitor's thread has ended")?);
    }
    sum.print();
    Ok(())
}
