//! Programs of the workspace as child processes, with what they print kept.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a program may take to start.
const START: Duration = Duration::from_secs(60);

/// A running program. It is killed with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
    logged: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// The folder with the workspace's programs: where this test's own binary is.
fn programs() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().and_then(Path::parent);
    folder.expect("target/<profile>/deps").to_path_buf()
}

fn collect(
    from: impl Read + Send + 'static,
    readers: &mut Vec<JoinHandle<()>>,
) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    readers.push(std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    }));
    text
}

/// Looks again and again until there is something, for at most a minute.
pub async fn wait_until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + START;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "waited a minute for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

impl Process {
    /// Starts a program of the workspace. It sees no `INTERLINE_` variable but those given.
    pub fn start(name: &str, arguments: &[&str], variables: &[(String, String)]) -> Self {
        let path = programs().join(name);
        assert!(
            path.exists(),
            "{} is not built: run `cargo build --workspace` first, as tests/run.sh does",
            path.display()
        );
        let mut command = Command::new(path);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (variable, _) in std::env::vars() {
            if variable.starts_with("INTERLINE_") {
                command.env_remove(variable);
            }
        }
        command.envs(variables.iter().cloned());
        let mut child = command.spawn().expect("the program starts");
        let mut readers = Vec::new();
        Self {
            printed: collect(child.stdout.take().expect("its output"), &mut readers),
            logged: collect(child.stderr.take().expect("its log"), &mut readers),
            child,
            readers,
        }
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        let text = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        let text = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }

    /// Waits until it logs or prints a line with this text, and gives that line.
    pub async fn line_with(&mut self, text: &str) -> String {
        wait_until(text, async || {
            let ended = self.state();
            let so_far = self.printed() + &self.logged();
            let found = so_far.lines().find(|line| line.contains(text));
            assert!(found.is_some() || ended.is_none(), "it ended:\n{so_far}");
            found.map(str::to_owned)
        })
        .await
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it the signal of Ctrl-C.
    pub fn interrupt(&self) {
        let status = Command::new("kill")
            .args(["-INT", &self.id().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill -INT");
    }

    /// Ends it at once, as a crash or `kill -9` does.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        wait_until("the program's end", async || self.state()).await
    }

    /// How it ended, once it has, with everything collected that it printed before.
    fn state(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait().expect("its state")?;
        for reader in self.readers.drain(..) {
            drop(reader.join());
        }
        Some(ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
