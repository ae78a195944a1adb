//! Sockets with a file's name in place of a port (Unix), on both sides.

use std::{
    fs,
    io::{self, IoSlice, Read},
    net::Shutdown,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{UnixListener, UnixStream},
};
use rust_websocket_proto::admission::Endpoint;
use socket2::{Domain, SockAddr, SockRef, Type};

use crate::socket::{Listening, SEND_FLAGS, Socket, UnsentLimit, lowest_free_descriptor};

/// What the kernel may hold of states; it has no mark for what is not sent.
const STATES_BUFFER: usize = 16 * 1024;

/// A listening socket, whose file is removed with it.
#[derive(Debug)]
pub(crate) struct FileListener {
    listener: UnixListener,
    /// Goes after the socket.
    _file: SocketFile,
}

/// The file of a listening socket, as long as it is still this one.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and number.
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // Somebody else may have removed it meanwhile, which is all that was wanted.
            _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// Why a path is not listened on.
#[derive(Debug)]
pub(crate) enum FileProblem {
    /// Somebody listens there.
    InUse,
    /// Another file has that name.
    NoSocket,
    Other(io::Error),
}

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

/// Listens on a path. A socket file that nobody listens on any more is replaced.
pub(crate) fn listen(path: &Path, backlog: i32) -> Result<FileListener, FileProblem> {
    let address = SockAddr::unix(path)?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            make_room(path, &address)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    let file = SocketFile { path: path.to_owned(), identity: identity(path) };
    socket.listen(backlog)?;
    Ok(FileListener { listener: UnixListener::from_std(socket.into()), _file: file })
}

/// Removes a socket file on which nobody listens.
fn make_room(path: &Path, address: &SockAddr) -> Result<(), FileProblem> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(FileProblem::NoSocket);
    }
    let probe = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A queue that is full must not make this wait.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        _ => Err(FileProblem::InUse),
    }
}

/// Connects to a path, which takes no time.
pub(crate) fn connect(path: &Path) -> io::Result<Box<dyn Socket>> {
    Ok(Box::new(UnixStream::connect(path)?))
}

impl Listening for FileListener {
    fn accept(&self) -> io::Result<(Box<dyn Socket>, Endpoint)> {
        let (stream, _) = self.listener.accept()?;
        Ok((Box::new(stream), Endpoint::UNIX))
    }

    fn next_descriptor(&self) -> io::Result<Option<u64>> {
        lowest_free_descriptor(&self.listener)
    }
}

impl Source for FileListener {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.listener.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.listener.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.listener.deregister(registry)
    }
}

impl Socket for UnixStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer)
    }

    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_io(|| SockRef::from(&*self).send_vectored_with_flags(slices, SEND_FLAGS))
    }

    fn shut_down_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn limit_unsent(&mut self, limit: UnsentLimit) -> io::Result<()> {
        match limit {
            UnsentLimit::States => SockRef::from(&*self).set_send_buffer_size(STATES_BUFFER),
            UnsentLimit::None | UnsentLimit::Pings => Ok(()),
        }
    }

    fn set_no_delay(&self, _enabled: bool) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_sockets() {
        let folder = std::env::temp_dir().join(format!("rust-websocket-sockets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("socket");
        let first = listen(&path, 8).unwrap();
        assert!(matches!(listen(&path, 8), Err(FileProblem::InUse)));
        drop(first);
        assert!(!path.exists(), "removed with the listener");
        // One that was left behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = listen(&path, 8).unwrap();
        // Its name is another's by now.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        drop(second);
        assert!(path.exists(), "not this one's");
        assert!(matches!(listen(&path, 8), Err(FileProblem::NoSocket)));
        let missing = folder.join("missing").join("socket");
        assert!(matches!(listen(&missing, 8), Err(FileProblem::Other(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
