package admission

import (
	"io"
	"net/http"
	"net/netip"

	"decenter/engine/identity"
)

// Handler answers the exchange at Path. It needs the TLS state in the request, of a connection that was made with
// identity.ListenTLS: the other end may be anyone.
func (a *Admission) Handler() http.Handler { return http.HandlerFunc(a.answer) }

func (a *Admission) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.TLS == nil {
		http.Error(w, "an exchange is a POST on TLS", http.StatusBadRequest)
		return
	}
	_, peer, err := identity.PeerKey(*r.TLS)
	if err != nil || peer == a.self {
		http.Error(w, "no other satellite's key was proved", http.StatusForbidden)
		return
	}
	limit := int64(maxMessage)
	if !a.cfg.Admitted(peer) {
		limit = maxStrangerMessage
		if !a.guest.mayAsk(source(r.RemoteAddr)) {
			http.Error(w, "too many requests of strangers", http.StatusTooManyRequests)
			return
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		http.Error(w, "the message is too long, or came too slowly", http.StatusRequestEntityTooLarge)
		return
	}
	theirs, err := parse(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.take(peer, theirs.Statements)
	ours := a.speak(peer, &theirs, nil)
	// The radar must understand the other's gossip before the other hears that it does.
	a.settle()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(ours.append())
}

// source is where a connection comes from, without its port.
func source(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
