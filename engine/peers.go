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
	proofs *Proofs
	now    func() time.Time

	mu   sync.Mutex
	open map[string]peer // by id; at most as many as the radar has members
}

type peer struct {
	addr   netip.AddrPort
	client *rpc.Client
}

func newPeers(cfg Config) *peers {
	return &peers{config: cfg.PeerTLS, proofs: cfg.Proofs, now: cfg.Now, open: map[string]peer{}}
}

// at gives another satellite's local view for a caller, as far as it may be believed.
func (p *peers) at(m radar.Member, caller api.Proof) (api.Service, error) {
	if p.proofs == nil {
		return nil, errAlone
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
	return heard{have.client.For(asker{p.proofs.Signer, caller, to, p.now}), m}, nil
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.open {
		x.client.Close()
	}
}
