//! The command line.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clearml_config::CommonOptions;
use clearml_telemetry::HealthcheckOptions;

/// A ClearML server in one process: API, files and Web-App.
#[derive(Parser)]
#[command(name = "clearml-server", version)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How the servers listen.
#[derive(Args)]
pub(crate) struct ServeOptions {
    /// Address to listen on; 0.0.0.0: all [default: the `listen.ip` settings, else 127.0.0.1]
    #[arg(long, value_name = "IP", env = "CLEARML_LISTEN")]
    pub(crate) listen: Option<IpAddr>,
    /// Port of the API server; 0: a free one [default: apiserver.listen.port, else 8008]
    #[arg(long, value_name = "PORT")]
    pub(crate) api_port: Option<u16>,
    /// Port of the file server; 0: a free one [default: fileserver.listen.port, else 8081]
    #[arg(long, value_name = "PORT")]
    pub(crate) files_port: Option<u16>,
    /// Port of the web server; 0: a free one [default: webserver.listen.port, else 8080]
    #[arg(long, value_name = "PORT")]
    pub(crate) web_port: Option<u16>,
    /// What to print when the server is ready
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Print::Text)]
    pub(crate) print: Print,
}

/// What is printed to the standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Print {
    /// For people
    Text,
    /// One line with a JSON object, for programs
    Json,
    /// Nothing
    None,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create, list and revoke access keys; the server may be running
    Credentials {
        #[command(subcommand)]
        action: CredentialsAction,
    },
    /// Print the effective settings, with secrets masked
    Config,
    /// Write everything that the server keeps into a folder, to move it to other stores; the server must not run. A
    /// command that was interrupted goes on when it is given again
    Export {
        /// A folder that is empty or missing, or holds the beginning of this export
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Bring an export into the stores of a server that is not in use yet; it must not run. A command that was
    /// interrupted goes on when it is given again
    Import {
        /// The folder with the export
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Ask the three servers on this machine how they are; for containers
    Healthcheck(HealthcheckOptions),
}

#[derive(Subcommand)]
pub(crate) enum CredentialsAction {
    /// Create a key pair and print the block for clearml.conf
    Create {
        /// Name, id or e-mail address of its user [default: the first user]
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// A note that `list` and the Web-App show
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// What to print
        #[arg(long, value_name = "FORM", value_enum, default_value_t = Print::Text)]
        print: Print,
    },
    /// List the access keys of all users; secrets are never shown again
    List {
        /// What to print
        #[arg(long, value_name = "FORM", value_enum, default_value_t = Print::Text)]
        print: Print,
    },
    /// Revoke an access key
    Revoke {
        /// The access key
        key: String,
    },
}
