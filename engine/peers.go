package engine

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/engine/radar"
	"decenter/engine/rpc"
	"decenter/keys"
)

// peers keeps one connection to each satellite that was talked to. A satellite whose address changed gets a new one.
type peers struct {
	config func(id string) (*tls.Config, error)
	trust  Trust
	now    func() time.Time

	mu   sync.Mutex
	open map[string]peer // by id; at most as many as the radar has members
}

type peer struct {
	addr   netip.AddrPort
	client *rpc.Client
}

func newPeers(cfg Config) *peers {
	return &peers{config: cfg.PeerTLS, trust: cfg.Trust, now: cfg.Now, open: map[string]peer{}}
}

// at gives another satellite's local view for a caller, as far as it may be believed.
func (p *peers) at(m radar.Member, caller api.Caller) (api.Service, error) {
	shown := caller.Proof
	if caller.Via == viaSocket {
		_, signed, ok := p.trust.Statements.View().Local(p.now())
		if !ok {
			return nil, errNoAccount(p.trust.Signer.Self())
		}
		shown = api.Proof{Line: signed.Line, Signature: signed.Signature}
	}
	to, err := keys.ParseFingerprint(m.ID)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	have, ok := p.open[m.ID]
	if !ok || have.addr != m.Addr {
		config, err := p.config(m.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			have.client.Close()
		}
		have = peer{m.Addr, rpc.DialTLS(m.Addr.String(), config)}
		p.open[m.ID] = have
	}
	return heard{have.client.For(asker{p.trust.Signer, shown, to, p.now}), m, p.now}, nil
}

// errNoAccount is what root hears of other satellites, which know no root but their own.
func errNoAccount(self keys.Fingerprint) error {
	return &api.Error{Code: api.CodeDenied, Message: "root of this satellite has no account on others",
		Hint: "make a delegation with `decenter key delegate --to " + self.String() + "` and give what it prints to `decenter` here"}
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.open {
		x.client.Close()
	}
}
