//! How an image gets more and more of the traffic: figures are asked of a server that speaks as Prometheus
//! does, and traffic is moved by whoever answers a web hook.
