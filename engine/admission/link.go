package admission

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"decenter/engine/identity"
	"decenter/keys"
	"decenter/keys/statement"
)

const (
	dialWait     = 2 * time.Second
	exchangeWait = 5 * time.Second // for a whole exchange
	idleWait     = 2 * time.Minute // for a connection that is not used
	maxRounds    = 5
)

// link is one connection to another satellite, which proved its key.
type link struct {
	peer keys.Fingerprint
	http *http.Client
}

var errLinkOver = errors.New("the connection is over")

// dial connects. want is the key that the other end must prove; zero: whichever.
func (a *Admission) dial(ctx context.Context, addr netip.AddrPort, want keys.Fingerprint) (*link, error) {
	config, err := a.cfg.Identity.ListenTLS()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2"}
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: config}).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	_, peer, err := identity.PeerKey(conn.(*tls.Conn).ConnectionState())
	if err == nil && want != (keys.Fingerprint{}) && peer != want {
		err = fmt.Errorf("%s has another key than %s", addr, want)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	one := make(chan net.Conn, 1)
	one <- conn
	p := new(http.Protocols)
	p.SetHTTP2(true)
	// The transport gets this one connection: whom the next would reach is not known.
	t := &http.Transport{Protocols: p, IdleConnTimeout: idleWait, MaxConnsPerHost: 1,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case c := <-one:
				return c, nil
			default:
				return nil, errLinkOver
			}
		}}
	return &link{peer, &http.Client{Transport: t}}, nil
}

func (l *link) close() { l.http.CloseIdleConnections() }

// post asks one question. limit bounds the answer, in bytes.
func (l *link) post(ctx context.Context, m message, limit int64) (message, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://satellite"+Path, bytes.NewReader(m.append()))
	if err != nil {
		return message{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := l.http.Do(req)
	if err != nil {
		return message{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return message{}, err
	case res.StatusCode != http.StatusOK:
		return message{}, fmt.Errorf("%s: %.200s", res.Status, text)
	case int64(len(text)) > limit:
		return message{}, errors.New("the answer is too long")
	}
	return parse(text)
}

// exchange does the rounds of one exchange over a link. member tells whether the other end took this satellite for
// admitted at the end of it.
func (a *Admission) exchange(ctx context.Context, l *link, news []statement.Signed) (member bool, err error) {
	if l.peer == a.self {
		return false, nil
	}
	var theirs *message
	var last message
	for round := range maxRounds {
		m := a.speak(l.peer, theirs, news)
		if round > 0 && !worth(round, m, last, *theirs) {
			return member, nil
		}
		limit := int64(maxMessage)
		if m.Ring == nil {
			limit = maxStrangerMessage
		}
		reply, err := l.post(ctx, m, limit)
		if err != nil {
			return false, err
		}
		a.take(l.peer, reply.Statements)
		theirs, last, news, member = &reply, m, nil, reply.Ring != nil
	}
	a.speak(l.peer, theirs, nil) // to take in what the last answer said
	return member, nil
}

// worth tells whether a message says anything that the one before it did not.
func worth(round int, m, last, theirs message) bool {
	switch {
	case len(m.Statements) > 0 && m.Digest != theirs.Digest && (round == 1 || m.Digest != last.Digest):
		return true
	case m.Ring == nil:
		return false
	case last.Ring == nil, len(m.Ring.Keys) > 0:
		return true
	case m.Basis == theirs.Basis && last.Basis != m.Basis:
		return true // the other end held its keys back
	}
	return !slices.Equal(m.Ring.Have, last.Ring.Have) || !slices.Equal(m.Ring.Retired, last.Ring.Retired)
}
