//! Command line options that all servers share, and what they lead to.

use std::path::PathBuf;

use clap::Args;

use crate::{
    Config, ConfigError, DataDir, Environment, GeneratedSecrets, Settings, Sources, config_directories,
    settings::{Program, StoreChoice},
};

/// Where configuration and data are.
#[derive(Debug, Clone, Default, Args)]
pub struct CommonOptions {
    /// Directory for everything that is stored [default: $XDG_DATA_HOME/clearml-server, else ~/.clearml-server]
    #[arg(long, global = true, value_name = "DIR", env = "CLEARML_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Directory with configuration files; may be given several times [default: $CLEARML_CONFIG_DIR, else
    /// /opt/clearml/config]
    #[arg(long, global = true, value_name = "DIR")]
    pub config_dir: Vec<PathBuf>,
}

/// Whether other servers may use the data directory at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// Not if stores are in it.
    Alone,
    Shared,
}

/// A configuration with its data directory.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub settings: Settings,
    pub stores: StoreChoice,
    pub data_dir: DataDir,
    pub environment: Environment,
}

impl Loaded {
    /// A configuration, with the secrets of the data directory where it has none.
    pub fn new(
        config: Config,
        program: Program,
        data_dir: DataDir,
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        let stores = config.store_choice(program)?;
        let secrets = GeneratedSecrets::load_or_create(&data_dir.secrets_file())?;
        let config = config.with_secrets(&secrets, &data_dir.secrets_file());
        let settings = config.settings()?;
        Ok(Self { config, settings, stores, data_dir, environment })
    }
}

impl CommonOptions {
    /// Reads the configuration; creates the data directory and the missing secrets.
    pub fn load(&self, program: Program, locking: Locking) -> Result<Loaded, ConfigError> {
        let (config, environment) = self.read()?;
        // Mistakes show before anything is created.
        let stores = config.store_choice(program)?;
        let path = self.data_dir.clone().unwrap_or_else(|| DataDir::default_path(&environment));
        let data_dir = match locking {
            Locking::Alone if stores.uses_data_dir() => DataDir::open_alone(&path)?,
            _ => DataDir::open_shared(&path)?,
        };
        Loaded::new(config, program, data_dir, environment)
    }

    /// Reads the configuration, for a service that stores nothing and has no secrets.
    pub fn load_settings(&self) -> Result<(Settings, Environment), ConfigError> {
        let (config, environment) = self.read()?;
        Ok((config.settings()?, environment))
    }

    /// Reads the configuration as it is, without data directory and generated secrets.
    pub fn read(&self) -> Result<(Config, Environment), ConfigError> {
        let environment = Environment::of_process();
        let directories = match self.config_dir.as_slice() {
            [] => config_directories(&environment),
            given => given.to_vec(),
        };
        let config = Config::load(&Sources { directories, environment: environment.clone() })?;
        Ok((config, environment))
    }
}
