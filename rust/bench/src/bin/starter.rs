//! Starts the programs that a scenario wants beside it, so that the process that is measured does not fork: a fork leaves each page of
//! the forking process to be copied or claimed again when it is next written to, one page fault each, and the polls that come then
//! would take twice as long.
//!
//! `starter PROGRAM [ARGUMENT...]` runs PROGRAM with one more argument, `starter=PORT`. Who connects to that port of loopback sends one
//! line for each program to start: its name in the folder of this one, and its arguments, with tabs between them. `ended NAME` comes
//! back for each that has ended or did not start. When PROGRAM ends, the others are ended too.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "what went wrong is for whoever runs the benchmark")]

use std::{
    env,
    error::Error,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// How often programs are looked at that may have ended.
const LOOK: Duration = Duration::from_millis(20);

/// A program that was started, and who wants to hear of its end.
#[derive(Debug)]
struct Started {
    name: String,
    child: Child,
    asker: TcpStream,
}

type Everybody = Arc<Mutex<Vec<Started>>>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().ok_or("which program? See the beginning of the source")?;
    let folder = env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let everybody = Everybody::default();
    let of_listener = Arc::clone(&everybody);
    thread::spawn(move || {
        for asker in listener.incoming().flatten() {
            let (folder, everybody) = (folder.clone(), Arc::clone(&of_listener));
            thread::spawn(move || serve(&asker, &folder, &everybody));
        }
    });
    let mut main = Command::new(program).args(arguments).arg(format!("starter={port}")).spawn()?;
    let status = loop {
        if let Some(status) = main.try_wait()? {
            break status;
        }
        tell_of_ended(&everybody);
        thread::sleep(LOOK);
    };
    for started in &mut *everybody.lock().unwrap_or_else(PoisonError::into_inner) {
        // It may have ended by itself.
        _ = started.child.kill();
        _ = started.child.wait();
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Starts what `asker` asks for, until it has gone.
fn serve(asker: &TcpStream, folder: &Path, everybody: &Everybody) -> io::Result<()> {
    for line in BufReader::new(asker.try_clone()?).lines() {
        let line = line?;
        let mut words = line.split('\t');
        let name = words.next().unwrap_or_default().to_owned();
        match Command::new(program_of(folder, &name)).args(words).spawn() {
            Ok(child) => {
                let started = Started { name, child, asker: asker.try_clone()? };
                everybody.lock().unwrap_or_else(PoisonError::into_inner).push(started);
            }
            Err(error) => {
                eprintln!("{name} does not start: {error}");
                tell(asker, &name);
            }
        }
    }
    Ok(())
}

fn program_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension(env::consts::EXE_EXTENSION)
}

fn tell_of_ended(everybody: &Everybody) {
    everybody.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|started| {
        let has_ended = !matches!(started.child.try_wait(), Ok(None));
        if has_ended {
            tell(&started.asker, &started.name);
        }
        !has_ended
    });
}

fn tell(mut asker: &TcpStream, name: &str) {
    // Nobody may be there to hear it.
    _ = asker.write_all(format!("ended {name}\n").as_bytes());
}
