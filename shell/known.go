package shell

import (
	"context"
	"slices"
	"sync"
	"time"

	"decenter/engine/api"
)

// knownPause is between attempts to hear from a constellation that broke off.
const knownPause = 2 * time.Second

// Known keeps the names of a constellation at hand for completion, which must not wait for a radar. It is what
// was last heard and nothing more: a name may be missing, or be of something that is gone.
type Known struct {
	mu    sync.Mutex
	names map[api.Kind]map[string]bool // guarded by mu
}

// NewKnown begins to listen until ctx ends. Known.Names is a grammar.Names.
func NewKnown(ctx context.Context, svc api.Service) *Known {
	k := &Known{names: map[api.Kind]map[string]bool{}}
	go func() {
		for {
			k.listen(ctx, svc)
			if !pause(ctx, knownPause) {
				return
			}
		}
	}()
	return k
}

// Names gives those of a kind; for "*" those of all but jobs.
func (k *Known) Names(kind api.Kind) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var names []string
	for of, set := range k.names {
		if of == kind || kind == "*" && of != api.KindJob {
			for n := range set {
				names = append(names, n)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// listen hears changes, and asks for everything once they flow and whenever some were lost. It returns when
// the constellation does not answer.
func (k *Known) listen(ctx context.Context, svc api.Service) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ask := make(chan struct{}, 1)
	ask <- struct{}{}
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // before the wait
	asking.Go(func() {
		for {
			select {
			case <-ask:
				if !k.everything(ctx, svc) {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	})
	_ = svc.Events(ctx, api.EventsRequest{}, func(e api.Event) error {
		if e.Kind == api.EventLost {
			select {
			case ask <- struct{}{}:
			default:
			}
			return nil
		}
		k.hear(e)
		return nil
	}) // whatever ended it, the caller begins again or ctx is over
}

// everything replaces what is known by what a search finds.
func (k *Known) everything(ctx context.Context, svc api.Service) bool {
	reply, err := svc.Search(ctx, api.Query{})
	if err != nil {
		return false
	}
	names := map[api.Kind]map[string]bool{}
	for _, i := range reply.Items {
		if i.Job != nil && i.Job.State.Over() {
			continue
		}
		if names[i.Kind] == nil {
			names[i.Kind] = map[string]bool{}
		}
		names[i.Kind][i.Name] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names = names
	return true
}

// hear takes one change in.
func (k *Known) hear(e api.Event) {
	switch {
	case e.VM != nil:
		k.put(api.KindVM, e.VM.Name, !e.Gone)
	case e.Node != nil && e.Node.State != api.SatelliteStranger:
		k.put(api.KindSatellite, e.Node.Name, true)
	case e.Job != nil:
		k.put(api.KindJob, e.Job.ID, !e.Job.State.Over())
	}
}

func (k *Known) put(kind api.Kind, name string, there bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case !there:
		delete(k.names[kind], name)
	case k.names[kind] == nil:
		k.names[kind] = map[string]bool{name: true}
	default:
		k.names[kind][name] = true
	}
}
