//! The server of the pages: plain or over TLS, with limits for who is slow or sends too much.

use super::DaemonError;
use crate::config::Web;
use axum::Router;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Time for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of the head of a request, at most.
const HEAD_BYTES: usize = 32 * 1_024;
/// Time that requests have to end when the service does.
const DRAIN: Duration = Duration::from_secs(20);

/// The address of the pages, taken.
pub(super) struct Listener {
    tcp: TcpListener,
    tls: Option<RustlsConfig>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Listener {
    pub(super) async fn open(web: &Web) -> Result<Listener, DaemonError> {
        let failed = |e| DaemonError::Listen(web.listen.clone(), e);
        let tls = match (&web.certificate, &web.key) {
            (Some(certificate), Some(key)) => {
                // Another part of the program may have named it already: it is the same one.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let read = RustlsConfig::from_pem_file(certificate, key).await;
                let read = read.map_err(|e| DaemonError::Certificate(certificate.clone(), e))?;
                // The limits below are those of HTTP/1.
                let mut config = rustls::ServerConfig::clone(&read.get_inner());
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Some(RustlsConfig::from_config(std::sync::Arc::new(config)))
            }
            _ => None,
        };
        let tcp = TcpListener::bind(&web.listen).map_err(failed)?;
        tcp.set_nonblocking(true).map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Listener { tcp, tls, address })
    }

    /// Whether it speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until the handle is told to end.
    pub(super) async fn serve(self, router: Router, handle: Handle<SocketAddr>) -> std::io::Result<()> {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let plain = limited(axum_server::from_tcp(self.tcp)?).handle(handle);
        match self.tls {
            Some(tls) => {
                plain.acceptor(RustlsAcceptor::new(tls).handshake_timeout(HEAD)).serve(service).await
            }
            None => plain.serve(service).await,
        }
    }
}

fn limited(server: Server<SocketAddr>) -> Server<SocketAddr> {
    let mut server = server.http1_only();
    let mut http = server.http_builder().http1();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    server
}

/// Ends the server: no new requests, those that run may end.
pub(super) fn drain(handle: &Handle<SocketAddr>) {
    handle.graceful_shutdown(Some(DRAIN));
}
