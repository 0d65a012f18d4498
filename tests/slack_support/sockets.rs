//! Its WebSockets.
//!
//! Source: docs.slack.dev, "Using Socket Mode".

use std::{sync::Arc, time::Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::Shared;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(one(stream, Arc::clone(&shared)));
    }
}

async fn one(stream: TcpStream, shared: Arc<Shared>) {
    if shared.state.lock().unwrap().is_down {
        return;
    }
    let Ok(mut socket) = accept_async(stream).await else { return };
    let hello = json!({ "type": "hello", "num_connections": 1, "connection_info": { "app_id": "A1" } });
    if socket.send(Message::text(hello.to_string())).await.is_err() {
        return;
    }
    let (sender, mut to_send) = mpsc::unbounded_channel::<String>();
    {
        let mut state = shared.state.lock().unwrap();
        state.sockets.push(sender);
        state.sockets_opened += 1;
    }
    loop {
        tokio::select! {
            text = to_send.recv() => {
                let Some(text) = text else { return };
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let answer: Value = serde_json::from_str(text.as_str()).unwrap();
                let id = answer["envelope_id"].as_str().unwrap().to_owned();
                shared.state.lock().unwrap().acknowledged.insert(id, (answer, Instant::now()));
            }
        }
    }
}
