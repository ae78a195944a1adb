//! Hostile peers, and the honest one beside them who measures what they cost; loopback only. `ci/test-hostile.sh` runs this.
//!
//! `attack run class=NAME port=P pid=N [peers=20] [seconds=2] [raw=1] [hang=S] [broadcast=BYTES] [opens=1]`: a bystander of the
//! server on port P, which is process N, measures the processor time that the server's threads use within each of its round
//! trips, while peers of that class attack. Prints one `name value` per line. `raw=1`: the server's first message is no peer id.
//! `hang=S`: the server's main thread stands still for S seconds meanwhile. `broadcast=BYTES`: the server sends that much to
//! everybody in each frame. `opens=1`: the server opens files all the time, and has to succeed. `settle=S`: so long it is waited
//! for until the server holds no more than before.
//!
//! `attack flood class=NAME port=P [peers=N] [seconds=T]` attacks and measures nothing; `run` starts it.
//!
//! `attack visit port=P [tls=1] [peers=N] [seconds=T]`: honest clients come, say something, get it back, and go.
//!
//! `attack state port=P pid=N` prints what the server holds: descriptors, threads, memory, objects.
//!
//! `attack list` prints the classes.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "how the program answers")]

mod bits;
mod bystander;
mod crowd;
mod frames;
mod greeting;
mod options;
mod plan;
mod process;
mod run;
mod visitors;
mod wire;

use std::{env, error::Error};

use options::Options;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let options = Options::parse(arguments)?;
    match role.as_str() {
        "run" => run::run(&options),
        "flood" => crowd::flood(&options),
        "visit" => visitors::visit(&options),
        "state" => run::state(&options),
        "list" => {
            for class in plan::CLASSES {
                println!("{class}");
            }
            Ok(())
        }
        _ => Err(format!(
            "'{role}' is no role; see the beginning of the source: run, flood, visit, state, list"
        )
        .into()),
    }
}
