//! A disk of a few megabytes that can be filled and given room again.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Mounts, and unmounts when its standard input ends: so also where the test was killed.
const KEEPER: &str = r#"trap "" INT HUP
mount -t tmpfs -o "size=$1m,mode=1777" tandem-test "$2" || exit 1
echo mounted
cat >/dev/null
umount -l "$2""#;

/// A file system in memory, gone when dropped.
#[derive(Debug)]
pub struct Disk {
    keeper: Child,
    folder: TempDir,
}

impl Disk {
    /// One of so many MiB, open to all users. `None` where this user may not mount, which is said past the capture of
    /// the tests' output.
    ///
    /// # Panics
    /// Where the machine has no shell.
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("tandem-disk").tempdir().expect("a folder");
        let root = nix::unistd::geteuid().is_root();
        let mut command = if root { Command::new("sh") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "sh"]);
        }
        command.args(["-c", KEEPER, "sh", &mebibytes.to_string()]).arg(folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut said = String::new();
        let keeper = command.spawn().ok().and_then(|mut keeper| {
            let stdout = keeper.stdout.take()?;
            BufReader::new(stdout).read_line(&mut said).ok()?;
            Some(keeper)
        });
        match keeper {
            Some(keeper) if said == "mounted\n" => Some(Self { keeper, folder }),
            _ => {
                let line = "no small disk can be mounted here: full disks are tested by stand-ins only\n";
                // What is not captured, so that everybody sees what was not tried.
                let _ = std::io::stderr().write_all(line.as_bytes());
                None
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves no byte free.
    ///
    /// # Panics
    /// Where it can be written to without end.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file");
        for block in [1 << 20, 4_096, 1] {
            let zeros = vec![0; block];
            while filler.write_all(&zeros).is_ok() {}
        }
    }

    /// Gives room again.
    ///
    /// # Panics
    /// Where it has not been filled.
    pub fn give_room(&self) {
        std::fs::remove_file(self.filler()).expect("it has been filled");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
