//! Starts the systems that are compared, from registry packages, and ends them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clamd::{ClamdConf, EngineLimits};
use settings::Environment;

use crate::peers::clients::Client;

/// One of the systems.
pub(crate) struct System {
    pub(crate) name: &'static str,
    pub(crate) client: Client,
    /// Its processes, those that it shares with others included: only one system works at a time.
    pub(crate) roots: Vec<u32>,
}

/// All systems, running. Dropping it kills them.
pub(crate) struct Machine {
    pub(crate) systems: Vec<System>,
    _children: Vec<Running>,
}

/// A process group.
pub(crate) struct Running(Child);

const LIMITS: EngineLimits =
    EngineLimits { max_file_size: 104_857_600, max_scan_time: Duration::from_mins(10) };
/// clamd loads a full set, and Airlock makes a snapshot of it.
const PATIENCE: Duration = Duration::from_mins(3);

impl Machine {
    /// Starts everything with the set in `definitions`, and waits until it serves.
    pub(crate) async fn start(airlock: &Path, definitions: &Path, directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir(directory)?;
        let http = reqwest::Client::new();
        let socket = directory.join("clamd.sock");
        let clamd = clamd(definitions, directory, &socket)?;
        let (original_url, mut children) = original(directory, &socket)?;
        let (rest_url, rest) = rest(directory, &socket)?;
        let original_roots = children.iter().map(Running::id).chain([clamd.id()]).collect();
        let mut systems = vec![
            System { name: "clamd", client: Client::Clamd(socket.clone()), roots: vec![clamd.id()] },
            System {
                name: "REST server",
                client: Client::Rest(http.clone(), rest_url.clone()),
                roots: vec![rest.id(), clamd.id()],
            },
            System {
                name: "original",
                client: Client::Original(http.clone(), original_url.clone()),
                roots: original_roots,
            },
        ];
        for (name, engine) in [("airlock", "snapshot"), ("airlock, clamd", "clamd")] {
            let (url, running) = start_airlock(airlock, definitions, &directory.join(engine), engine, &[])?;
            let client = Client::Airlock(http.clone(), url.clone());
            systems.push(System { name, client, roots: vec![running.id()] });
            children.push(running);
            answers(&http, &format!("{url}/health")).await.context(name)?;
        }
        wait_for(&socket).await?;
        answers(&http, &original_url).await.context("the original")?;
        answers(&http, &rest_url).await.context("the REST server")?;
        children.extend([clamd, rest]);
        // Snapshots are made, and workers have connected.
        tokio::time::sleep(Duration::from_secs(30)).await;
        Ok(Self { systems, _children: children })
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt as _;
        let log = std::fs::File::create(log)?;
        let program = command.get_program().to_owned();
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok(Self(command.spawn().with_context(|| format!("`{}`", program.display()))?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

/// clamd with Airlock's own configuration.
fn clamd(definitions: &Path, directory: &Path, socket: &Path) -> anyhow::Result<Running> {
    let temporary_directory = directory.join("clamd-tmp");
    std::fs::create_dir(&temporary_directory)?;
    let conf = ClamdConf {
        socket: socket.to_owned(),
        temporary_directory,
        database_directory: definitions.to_owned(),
        limits: LIMITS,
        official_database_only: false,
    };
    let path = directory.join("clamd.conf");
    std::fs::write(&path, conf.render())?;
    let mut command = Command::new("clamd");
    Running::start(command.arg("--config-file").arg(path), directory.join("clamd.log"))
}

/// Redis with its defaults for a cache, one Uvicorn, and a Celery process for each core.
fn original(directory: &Path, socket: &Path) -> anyhow::Result<(String, Vec<Running>)> {
    let (redis, port) = (free_port()?, free_port()?);
    let files = directory.join("original");
    std::fs::create_dir(&files)?;
    let venv = PathBuf::from(output(Command::new(repository("tools/venv")).arg("peers"))?);
    let mut server = Command::new("redis-server");
    server.args(["--port", &redis, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(directory);
    let app = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(venv.join("bin").join(program));
        command.args(arguments).current_dir(repository("bench/peers/original"));
        command.env("PEER_REDIS", &redis).env("PEER_FILES", &files).env("PEER_CLAMD", socket);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let n_cores = std::thread::available_parallelism()?.to_string();
    let mut api = app("uvicorn", &["main:app", "--port", &port, "--no-access-log"]);
    let mut worker = app("celery", &["-A", "tasks", "worker", "-c", &n_cores, "-l", "warning"]);
    let running = vec![
        Running::start(&mut server, directory.join("redis.log"))?,
        Running::start(&mut api, directory.join("uvicorn.log"))?,
        Running::start(&mut worker, directory.join("celery.log"))?,
    ];
    Ok((format!("http://127.0.0.1:{port}"), running))
}

fn rest(directory: &Path, socket: &Path) -> anyhow::Result<(String, Running)> {
    let (port, modules) = (free_port()?, repository("target/bench-peers-rest"));
    std::fs::create_dir_all(&modules)?;
    for name in ["package.json", "package-lock.json", "server.mjs"] {
        std::fs::copy(repository("bench/peers/rest").join(name), modules.join(name))?;
    }
    output(Command::new("npm").args(["ci", "--silent", "--no-fund"]).current_dir(&modules))?;
    let mut server = Command::new("node");
    server.arg("server.mjs").arg(socket).arg(&port).current_dir(&modules).env("NODE_ENV", "production");
    Ok((format!("http://127.0.0.1:{port}"), Running::start(&mut server, directory.join("rest.log"))?))
}

/// Starts Airlock with an engine and further settings; returns its address.
pub(crate) fn start_airlock(
    program: &Path,
    definitions: &Path,
    data_dir: &Path,
    engine: &str,
    settings: &[(&str, String)],
) -> anyhow::Result<(String, Running)> {
    let (port, s3_port) = (free_port()?, free_port()?);
    let mut service = Command::new(program);
    service.arg("local").arg("--data-dir").arg(data_dir).arg("--definitions").arg(definitions);
    service.args(["--listen", &format!("127.0.0.1:{port}"), "--s3-listen", &format!("127.0.0.1:{s3_port}")]);
    service.env("ENGINE", engine).env("ALLOWED_EXTENSIONS", "*").envs(settings.iter().cloned());
    let path = [repository("target/engine")].into_iter().chain(Environment::of_process().search_path());
    service.env("PATH", std::env::join_paths(path)?);
    let running = Running::start(&mut service, data_dir.with_extension("log"))?;
    Ok((format!("http://127.0.0.1:{port}"), running))
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

pub(crate) fn free_port() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string())
}

/// Waits until something answers at `url`.
pub(crate) async fn answers(http: &reqwest::Client, url: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    while http.get(url).send().await.is_err() {
        ensure!(began.elapsed() < PATIENCE, "`{url}` does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn wait_for(socket: &Path) -> anyhow::Result<()> {
    let (began, client) = (Instant::now(), clamd::Client::new(socket.to_owned()));
    while client.ping(Duration::from_secs(2)).await.is_err() {
        if began.elapsed() > PATIENCE {
            bail!("clamd does not answer");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
