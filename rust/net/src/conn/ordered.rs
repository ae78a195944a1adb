//! What a connection's owner has ordered.

use std::time::Instant;

use rust_websocket_proto::{Compressor, Delivery};

use super::{Conn, Owner, Stage};
use crate::{seam::Order, socket::UnsentLimit};

impl Conn {
    /// To be carried out in its next turn.
    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    pub(super) fn carry_out_orders(&mut self, compressor: &mut Compressor, now: Instant) {
        let count = self.orders.len();
        if count == 0 {
            return;
        }
        let mut orders = std::mem::take(&mut self.orders);
        for order in orders.drain() {
            self.carry_out(order, compressor, now);
        }
        orders.release_memory(count);
        self.orders = orders;
    }

    fn carry_out(&mut self, order: Order, compressor: &mut Compressor, now: Instant) {
        match order {
            // Refused once the connection is over: its owner learns that from the close.
            Order::Send(kind, payload, delivery) => {
                if let Delivery::Latest(_) = delivery {
                    self.limit_kernel_queue(self.has_heartbeat, true);
                }
                _ = self.endpoint.send_accepted(kind, payload, delivery, compressor);
            }
            Order::Close(code, reason) => self.endpoint.close(code, &reason, now),
            Order::Leave => self.endpoint.leave(),
            Order::Decide(decided) => {
                let (decision, tag) = *decided;
                self.decide(decision, tag);
            }
            Order::Abandon => {
                self.owner = Owner::Gone;
                // Whoever is sent away makes room at once, whenever the close handshake is complete.
                self.place = None;
                self.endpoint.abandon();
            }
            Order::Resume => {} // `receive` looks for itself
            Order::BeginTurn => {
                if let Stage::Connected(wire) = &mut self.stage {
                    wire.turn_begins();
                }
            }
            Order::SettleFault => {
                self.awaits_owner = false;
                self.endpoint.settle(now);
            }
            Order::SetHeartbeatInterval(interval) => {
                self.limit_kernel_queue(self.has_heartbeat || interval.is_some(), self.sends_states);
                self.endpoint.set_heartbeat_interval(interval, now);
            }
            Order::SetCloseTimeout(timeout) => self.endpoint.set_close_timeout(timeout),
            Order::SetNoDelay(enabled) => self.set_no_delay(enabled),
            Order::SetTrace(trace) => self.set_trace(trace),
            Order::SetUnreliableLifetime(lifetime) => {
                self.limit_kernel_queue(self.has_heartbeat, lifetime.is_some());
                self.endpoint.set_unreliable_lifetime(lifetime);
            }
        }
    }

    fn set_no_delay(&mut self, enabled: bool) {
        self.no_delay = enabled;
        if let Stage::Connected(wire) = &mut self.stage {
            // Only a hint to the kernel; a socket that refuses it is about to report why.
            _ = wire.transport.socket().set_no_delay(enabled);
        }
    }

    /// Pings must not wait behind much that the kernel holds, nor must what is not worth sending for ever lie there.
    pub(super) fn limit_kernel_queue(&mut self, has_heartbeat: bool, sends_states: bool) {
        (self.has_heartbeat, self.sends_states) = (has_heartbeat, sends_states);
        let Stage::Connected(wire) = &mut self.stage else { return };
        let limit = if sends_states {
            UnsentLimit::States
        } else if has_heartbeat {
            UnsentLimit::Pings
        } else {
            UnsentLimit::None
        };
        if limit != self.unsent_limit {
            self.unsent_limit = limit;
            // As far as the system can do that: messages arrive all the same.
            _ = wire.transport.socket().limit_unsent(limit);
        }
    }
}
