package libvirt

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

const agentTimeout = 3 // seconds a guest agent has for one answer

// Get reads one guest from libvirt.
func (d *Driver) Get(ctx context.Context, id virt.ID) (virt.Guest, error) {
	g, err := on(ctx, d, virt.ID{}, id, func(dom *lv.Domain) (virt.Guest, error) {
		_, k, err := readDomain(dom)
		if err != nil {
			return virt.Guest{}, err
		}
		if k.foreign {
			return virt.Guest{}, virt.ErrNotFound
		}
		s, reason, err := dom.GetState()
		if err != nil {
			return virt.Guest{}, err
		}
		cpu := uint64(0)
		if info, err := dom.GetInfo(); err == nil {
			cpu = info.CpuTime
		}
		d.mu.Lock()
		d.known[id] = k
		d.mu.Unlock()
		return view(k.entry, s, reason, cpu), nil
	})
	return g, fail("find", id.String(), err)
}

func view(e entry, s lv.DomainState, reason int, cpu uint64) virt.Guest {
	g := virt.Guest{Spec: e.spec}
	g.State, g.Reason = stateOf(s, reason)
	if g.State.Live() {
		g.CPUTime, g.Agent, g.VNC = time.Duration(cpu), e.agent, e.vnc
	}
	return g
}

// List asks for all states at once; descriptions are read only where they are not known, which events keep true.
func (d *Driver) List(ctx context.Context) ([]virt.Guest, error) {
	list, err := call(ctx, d, virt.ID{}, func(c *lv.Connect) ([]virt.Guest, error) {
		stats, err := c.GetAllDomainStats(nil, lv.DOMAIN_STATS_STATE|lv.DOMAIN_STATS_CPU_TOTAL, lv.CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
		if err != nil {
			return nil, err
		}
		defer func() {
			for _, s := range stats {
				s.Domain.Free()
			}
		}()
		var list []virt.Guest
		for _, s := range stats {
			g, ours, err := d.viewStats(s)
			if err != nil {
				return nil, err
			}
			if ours {
				list = append(list, g)
			}
		}
		return list, nil
	})
	if err != nil {
		return nil, fail("list", "guests", err)
	}
	slices.SortFunc(list, func(a, b virt.Guest) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (d *Driver) viewStats(s lv.DomainStats) (g virt.Guest, ours bool, err error) {
	raw, err := s.Domain.GetUUID()
	if err != nil {
		return g, false, err
	}
	id := virt.ID(raw)
	d.mu.Lock()
	k, ok := d.known[id]
	d.mu.Unlock()
	if !ok {
		if _, k, err = readDomain(s.Domain); errors.Is(err, lv.ERR_NO_DOMAIN) {
			return g, false, nil // gone since
		} else if err != nil {
			return g, false, err
		}
		d.mu.Lock()
		d.known[id] = k
		d.mu.Unlock()
	}
	if k.foreign || s.State == nil {
		return g, false, nil
	}
	cpu := uint64(0)
	if s.Cpu != nil {
		cpu = s.Cpu.Time
	}
	return view(k.entry, s.State.State, s.State.Reason, cpu), true, nil
}

// Addresses asks the agent, at most two guests at a time, so that silent agents cannot take up the connection.
func (d *Driver) Addresses(ctx context.Context, id virt.ID) (map[string][]string, error) {
	const op = "ask the agent of"
	select {
	case d.agents <- struct{}{}:
		defer func() { <-d.agents }()
	case <-ctx.Done():
		return nil, fail(op, id.String(), ctx.Err())
	}
	all, err := on(ctx, d, virt.ID{}, id, func(dom *lv.Domain) (map[string][]string, error) {
		if err := dom.AgentSetResponseTimeout(agentTimeout, 0); err != nil {
			return nil, err
		}
		cards, err := dom.ListAllInterfaceAddresses(lv.DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
		if err != nil {
			return nil, err
		}
		return addresses(cards), nil
	})
	return all, fail(op, id.String(), err)
}

func addresses(cards []lv.DomainInterface) map[string][]string {
	all := map[string][]string{}
	for _, c := range cards {
		mac := strings.ToLower(c.Hwaddr)
		for _, a := range c.Addrs {
			ip, err := netip.ParseAddr(a.Addr) // a guest's agent may say anything
			if err != nil || ip.IsLoopback() || ip.Is6() && ip.IsLinkLocalUnicast() {
				continue
			}
			all[mac] = append(all[mac], ip.WithZone("").String())
		}
	}
	return all
}
