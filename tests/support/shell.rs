//! A command-line client that stays open: psql, mysql, mariadb.

use std::{
    io::{BufRead, BufReader, PipeReader, Write},
    process::{Child, ChildStdin, Stdio},
};

use super::{Login, Server};

/// A session of one person, fed through a pipe.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<PipeReader>,
    server: Server,
    asked: u32,
    repeats: bool,
}

impl Shell {
    /// Logs in with the server's own client.
    pub fn open(login: &Login) -> Self {
        let script = match login.server {
            Server::Postgres => "exec psql -X -q -A -t -v VERBOSITY=verbose".to_owned(),
            // MySQL 9's client takes its own commands from a pipe only if it is told to.
            Server::Mysql => format!("exec {} -N --force --unbuffered --commands", login.mysql_client()),
            Server::Mariadb => format!("exec {} -N --force --unbuffered", login.mysql_client()),
        };
        let (output, both) = std::io::pipe().unwrap();
        let mut command = login.command("sh");
        command.args(["-c", &script]).stdin(Stdio::piped());
        let mut child = command.stdout(both.try_clone().unwrap()).stderr(both).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        Self { child, input, output: BufReader::new(output), server: login.server, asked: 0, repeats: false }
    }

    /// Runs SQL and gives all that the client printed for it, errors in their place.
    pub fn ask(&mut self, sql: &str) -> String {
        self.start(sql);
        self.finish()
    }

    /// Sends SQL; `finish` has the answer.
    pub fn start(&mut self, sql: &str) {
        self.asked += 1;
        // Neither goes to the server, and both answer at once: `\.` by an error, as there is no file of that name.
        let mark = match self.server {
            Server::Postgres => "\\warn",
            Server::Mariadb | Server::Mysql => "\\.",
        };
        let _ = writeln!(self.input, "{sql}\n{mark} --- answer {} ---", self.asked);
    }

    /// Waits for the end of what was started.
    pub fn finish(&mut self) -> String {
        let mark = format!("--- answer {} ---", self.asked);
        let mut all = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 || line.contains(&mark) {
                return all;
            }
            // mariadb repeats a statement that failed between two such lines, whenever its buffer is written.
            if line.starts_with("--------------") {
                self.repeats = !self.repeats;
            } else if !self.repeats && line != "\n" {
                all.push_str(&line);
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
