package engine

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/keys"
	"decenter/keys/statement"
)

// The stories here are of people and satellites who have a right to be there, and want more.

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// tenantOf gives a tenant whom the satellites know.
func tenantOf(t *testing.T, n byte, all ...*sat) person {
	t.Helper()
	p := newPerson(t, n)
	for _, s := range all {
		s.hears(t, owner.says(t, grant(statement.Tenant, p, statement.ObjectAll)))
	}
	return p
}

// TestNobodyMakesRootActForThem: by a delegation to the satellite's key its root acts for an account, so that only root may
// take one. Else a tenant's would let root's next VM be the tenant's.
func TestNobodyMakesRootActForThem(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	tenant := tenantOf(t, 3, a)
	said := tenant.says(t, statement.Delegation{Account: tenant.account, Key: a.Engine.id, Scope: statement.All, From: now(), Until: now().Add(time.Hour)})
	if _, err := tenant.at(t, a, statement.All).Declare(t.Context(), said); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("the tenant delegates to the satellite over ssh: %v", err)
	}
	if n, _ := a.cfg.Trust.Statements.Merge([]statement.Signed{statement.Signed(said)}); n != 0 {
		t.Error("another satellite brings it")
	}
	root := a.Open(me)
	if h, err := root.Hello(t.Context()); err != nil || h.Account != api.AccountLocal {
		t.Errorf("root acts for %s, %v", h.Account, err)
	}
	if _, err := root.Declare(t.Context(), said); err != nil {
		t.Errorf("root may want it: %v", err)
	}
	if h, err := root.Hello(t.Context()); err != nil || h.Account != tenant.account.String() {
		t.Errorf("root acts for %s, %v", h.Account, err)
	}
}

// watching reads a service's events until the test ends, and gives the names of the VMs that it hears of.
func watching(t *testing.T, svc api.Service) (heard func(name string) bool, ended <-chan error) {
	t.Helper()
	var mu sync.Mutex
	names, over := map[string]bool{}, make(chan error, 1)
	background(t, func(ctx context.Context) error {
		err := svc.Events(ctx, api.EventsRequest{}, func(ev api.Event) error {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ev.VM != nil:
				names[ev.VM.Name] = true
			default:
				names[string(ev.Kind)] = true
			}
			return nil
		})
		over <- err
		return err
	})
	return func(name string) bool { mu.Lock(); defer mu.Unlock(); return names[name] }, over
}

// tells lets a satellite tell of a change of a VM of an owner.
func (s *sat) tells(id, name, of string) {
	s.bus.Publish(api.Event{Kind: api.EventVM, VM: &api.VM{ID: id, Name: name, Owner: of, Satellite: s.cfg.Name}})
}

// TestAnOpenStreamTellsWhatTheReaderMaySeeNow, and not what it might see when it began: of here and of elsewhere.
func TestAnOpenStreamTellsWhatTheReaderMaySeeNow(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	tenant := tenantOf(t, 3, a, b)
	const id = "11111111-1111-4111-8111-111111111111"
	role := func(r statement.Role, later time.Duration) {
		g := grant(r, tenant, statement.ObjectVM(id))
		g.At = g.At.Add(later)
		for _, s := range []*sat{a, b} {
			s.hears(t, owner.says(t, g))
		}
	}
	heard, ended := watching(t, tenant.at(t, a, statement.All))
	mine := tenant.account.String()
	eventually(t, "the stream stands", func() bool { a.tells(id, "a0", mine); b.tells(id, "b0", mine); return heard("a0") && heard("b0") })
	a.tells(id, "a1", "")
	b.tells(id, "b1", "")
	role(statement.Reader, 0)
	eventually(t, "a grant holds for an open stream", func() bool { a.tells(id, "a2", ""); b.tells(id, "b2", ""); return heard("a2") && heard("b2") })
	role(statement.None, time.Second)
	time.Sleep(100 * time.Millisecond) // each judges anew
	a.tells(id, "a3", "")
	b.tells(id, "b3", "")
	eventually(t, "the stream goes on", func() bool { a.tells(id, "a4", mine); b.tells(id, "b4", mine); return heard("a4") && heard("b4") })
	for _, name := range []string{"a1", "b1", "a3", "b3"} {
		if heard(name) {
			t.Errorf("told %s, which is another's", name)
		}
	}
	select {
	case err := <-ended:
		t.Errorf("the stream ended: %v", err)
	default:
	}
}

// TestWhatIsRevokedBeforeAStreamStandsEndsIt: between the decision and the stream there is a guest's console to open.
func TestWhatIsRevokedBeforeAStreamStandsEndsIt(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	l := owner.at(t, a, statement.All).(constellation).local()
	w, err := l.look(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	a.hears(t, owner.says(t, statement.Revocation{Account: myAddress, Key: sshKey, At: now().Add(time.Second)}))
	right := l.while(t.Context(), w, authz.Login, authz.Object{})
	defer right.stop()
	select {
	case <-right.Done():
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}

// TestWhoSeesOneVMHearsOfNoSatellites.
func TestWhoSeesOneVMHearsOfNoSatellites(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	reader := newPerson(t, 4)
	const id = "11111111-1111-4111-8111-111111111111"
	for _, s := range []*sat{a, b} {
		s.hears(t, owner.says(t, grant(statement.Reader, reader, statement.ObjectVM(id))))
	}
	heard, _ := watching(t, reader.at(t, a, statement.All))
	eventually(t, "the stream stands", func() bool { a.tells(id, "own", ""); return heard("own") })
	a.bus.Publish(api.Event{Kind: api.EventSatellite, Node: &api.Satellite{Name: "s9"}})
	a.bus.Publish(api.Event{Kind: api.EventTree})
	eventually(t, "what comes after", func() bool { a.tells(id, "last", ""); return heard("last") })
	if heard(string(api.EventSatellite)) || heard(string(api.EventTree)) {
		t.Error("told of satellites or the tree, which only tenants and readers of all may see")
	}
}

// written gives what a satellite has in its log.
func (s *sat) written(t *testing.T, q api.Query) []api.AuditEntry {
	t.Helper()
	all, err := s.cfg.Trust.Audit.Find(t.Context(), q, 0)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wants(key, value string) api.Query {
	return api.Query{Filters: []api.Filter{{Key: key, Values: []string{value}}}}
}

// TestARequestWithoutAProofIsWrittenDown: of a satellite that belongs here, of one that does not, and of one whose proof was
// revoked.
func TestARequestWithoutAProofIsWrittenDown(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	vm := create(t, b, "web-1", "s2")
	to := b.radar.Self()
	ask := func(p api.Proof) error {
		s, err := a.peers.at(to, api.Caller{Via: viaSSH, Proof: p})
		if err != nil {
			return err
		}
		_, err = s.Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"})
		return err
	}
	if err := ask(meAt(b.id).Proof); api.CodeOf(err) != api.CodeDenied {
		t.Fatal(err)
	}
	got := b.written(t, wants(api.KeyVerdict, "deny"))
	if len(got) != 1 || got[0].Action != "delete" || got[0].Via != viaPeer || got[0].From != "s1" || got[0].Reason == "" || got[0].Account != "" {
		t.Errorf("s2 wrote down %+v", got)
	}
	b.hears(t, owner.says(t, statement.Membership{Account: myAddress, Constellation: "test", Satellite: fingerprint(a.id), At: now()}))
	for range 200 {
		if err := ask(meAt(a.id).Proof); api.CodeOf(err) != api.CodeDenied {
			t.Fatal(err)
		}
	}
	got = b.written(t, wants(api.KeyReason, "*not admitted*"))
	if len(got) < 10 || len(got) > 60 {
		t.Errorf("of 200 requests of an ejected satellite %d are written down", len(got))
	}
}

// TestNobodyWashesTheLogOut: who does a thousand things at once has to wait, and what comes after tells of how many.
func TestNobodyWashesTheLogOut(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	tenant := tenantOf(t, 3, a)
	later := time.Duration(0)
	a.Engine.pace.now = func() time.Time { return time.Now().Add(later) }
	svc := tenant.at(t, a, statement.All).(constellation).local()
	refusals := 0
	for range 3000 {
		if _, err := svc.Propose(t.Context(), api.ProposeRequest{Kind: "x"}); api.CodeOf(err) == api.CodeExhausted {
			refusals++
		}
	}
	if refusals < 1500 {
		t.Errorf("%d of 3000 were refused", refusals)
	}
	if _, err := owner.at(t, a, statement.All).Trust(t.Context()); err != nil {
		t.Errorf("others are kept out: %v", err)
	}
	elsewhere := local{a.Engine, tenant.caller(t, keys.Fingerprint{5}, statement.All), keys.Fingerprint{5}} // the same account, at another satellite
	if _, err := elsewhere.Propose(t.Context(), api.ProposeRequest{Kind: api.StatementRevoke}); err != nil {
		t.Errorf("the account is kept out by what was done in its name: %v", err)
	}
	later = time.Minute
	_, _ = svc.Propose(t.Context(), api.ProposeRequest{Kind: "y"})
	told := a.written(t, wants(api.KeyReason, "*too many*"))
	if len(told) == 0 || told[0].Count == 0 || told[0].Account != tenant.account.String() {
		t.Errorf("nobody tells of what was refused: %+v", told)
	}
}

// TestADelegationThatWasSeenIsNotOneThatLoggedIn: a hostile satellite that carried out a request of somebody else's login has the
// delegation and what was vouched for it, and can act with neither.
func TestADelegationThatWasSeenIsNotOneThatLoggedIn(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	vm := create(t, a, "web-1", "s2")
	seen := owner.caller(t, b.Engine.id, statement.All) // logged in at s2, whose searches show it to s1
	if _, err := a.Open(seen).Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"}); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("at s1 itself: %v", err)
	}
	s, err := a.peers.at(b.radar.Self(), seen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"}); api.CodeOf(err) != api.CodeDenied || !strings.Contains(err.Error(), "logged in") {
		t.Errorf("brought to s2 by s1: %v", err)
	}
	if _, err := b.Open(seen).VM(t.Context(), "web-1"); err != nil {
		t.Errorf("where it logged in: %v", err)
	}
}

// TestWhoReachesForWhatIsAnothersIsWrittenDown, and is not told that anything is there: neither now nor by the log.
func TestWhoReachesForWhatIsAnothersIsWrittenDown(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	vm := create(t, a, "theirs", "s1")
	tenant := tenantOf(t, 3, a)
	l := tenant.at(t, a, statement.All).(constellation).local() // as a satellite may that asks nobody first
	for _, ref := range []string{vm.ID, "theirs"} {
		if _, err := l.Delete(t.Context(), api.DeleteRequest{VM: ref, Confirm: "theirs"}); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("delete: %v", err)
		}
		if _, err := l.Console(t.Context(), ref); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("console: %v", err)
		}
	}
	jobs := a.jobs.List()
	if _, err := l.Cancel(t.Context(), jobs[0].ID); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("cancel: %v", err)
	}
	denied := map[string]int{}
	for _, e := range a.written(t, wants(api.KeyAccount, tenant.account.String())) {
		if e.Verdict == api.VerdictDeny && strings.Contains(e.Object, "theirs") {
			denied[e.Action]++
		}
	}
	if denied["delete"] != 2 || denied["console"] != 2 || denied["cancel"] != 1 {
		t.Errorf("the log has %v", denied)
	}
	r, err := l.Audit(t.Context(), api.AuditRequest{})
	if err != nil || slices.ContainsFunc(r.Entries, func(e api.AuditEntry) bool { return strings.Contains(e.Object, "theirs") }) {
		t.Errorf("the log tells the tenant: %+v, %v", r.Entries, err)
	}
	if _, err := l.Audit(t.Context(), api.AuditRequest{Verify: true}); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("a tenant has the whole log walked: %v", err)
	}
}

// forger is a satellite that says what others decided.
type forger struct{ api.Service }

func (forger) Audit(context.Context, api.AuditRequest) (api.AuditReply, error) {
	r := api.AuditReply{Chains: []api.AuditChain{{Satellite: "s1", Broken: "all of it"}}}
	for n := range 5000 {
		r.Entries = append(r.Entries, api.AuditEntry{Satellite: "s1", Seq: uint64(n + 1), Time: now().Add(time.Duration(n%2) * time.Hour), Account: "forged", Action: "delete", Verdict: api.VerdictAllow})
	}
	return r, nil
}

func (forger) VM(_ context.Context, ref string) (api.VM, error) {
	return api.VM{}, api.Errorf(api.CodeAmbiguous, "two answer to it")
}

// TestASatelliteTellsOfItsOwnDecisionsAlone, and cannot say that a VM of another is two.
func TestASatelliteTellsOfItsOwnDecisionsAlone(t *testing.T) {
	t.Parallel()
	a := satellite(t, "s1").live(t)
	a.serve()
	vm := create(t, a, "web-1", "s1")
	f := satellite(t, "forger")
	f.lying(t, forger{})
	meet(t, a, f)
	r, err := a.open().Audit(t.Context(), api.AuditRequest{Verify: true})
	if err != nil || len(r.Chains) != 2 || r.Chains[0].Satellite != "forger" || r.Chains[1].Broken != "" {
		t.Errorf("chains: %+v, %v", r.Chains, err)
	}
	r, err = a.open().Audit(t.Context(), api.AuditRequest{})
	forged := 0
	for _, e := range r.Entries {
		if e.Account == "forged" {
			forged++
		}
		if (e.Account == "forged") != (e.Satellite == "forger") || e.Time.After(time.Now().Add(time.Minute)) {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if forged > api.MaxAudit || len(r.Entries) == forged {
		t.Errorf("%d of %d entries are forged", forged, len(r.Entries))
	}
	r, err = a.open().Audit(t.Context(), api.AuditRequest{Query: wants(api.KeyAction, "create")})
	if err != nil || len(r.Entries) != 1 {
		t.Errorf("it told of something else than was asked: %d entries, %v", len(r.Entries), err)
	}
	if _, err := a.open().VM(t.Context(), vm.ID); err != nil {
		t.Errorf("web-1: %v", err)
	}
}

// TestAnOpenConsoleWashesNothingOut: it asks each second for what its account may see, and for what it may not.
func TestAnOpenConsoleWashesNothingOut(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	reader := newPerson(t, 4)
	for _, s := range []*sat{a, b} {
		s.hears(t, owner.says(t, grant(statement.Reader, reader, statement.ObjectVM("11111111-1111-4111-8111-111111111111"))))
	}
	svc, later := reader.at(t, a, statement.All), time.Duration(0)
	a.Engine.pace.now = func() time.Time { return time.Now().Add(later) }
	began := len(a.written(t, api.Query{}))
	for range 50 {
		if _, err := svc.Satellites(t.Context()); api.CodeOf(err) != api.CodeDenied {
			t.Fatal(err)
		}
		if _, err := owner.at(t, a, statement.Read).Trust(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.written(t, api.Query{})) - began; n > 4 {
		t.Errorf("%d entries of the same", n)
	}
	later = repeatWindow
	_, _ = svc.Satellites(t.Context())
	if all := a.written(t, wants(api.KeyVerdict, "deny")); len(all) < 2 || all[0].Count != 50 {
		t.Errorf("how often is not told: %+v", all)
	}
}

// taped is an asker that shows what another request showed.
type taped struct {
	asker
	header string
}

func (t *taped) Header(method string, body [sha256.Size]byte) (string, error) {
	if t.header == "" {
		var err error
		if t.header, err = t.asker.Header(method, body); err != nil {
			return "", err
		}
	}
	return t.header, nil
}

// TestAHostileSatelliteGetsNoFurtherThanItsRequest: it is admitted, and somebody logged in at it; over real TLS.
func TestAHostileSatelliteGetsNoFurtherThanItsRequest(t *testing.T) {
	t.Parallel()
	h, b := two(t)
	vm := create(t, b, "web-1", "s2")
	if _, err := h.peers.at(b.radar.Self(), meAt(h.id)); err != nil { // opens the connection
		t.Fatal(err)
	}
	client := h.peers.open[b.Engine.cfg.ID].client
	as := func(p api.Proof) *taped {
		return &taped{asker: asker{h.cfg.Trust.Signer, p, b.Engine.id, time.Now}}
	}
	tape := as(meAt(h.id).Proof)
	if _, err := client.For(tape).VM(t.Context(), vm.ID); err != nil {
		t.Fatalf("control: %v", err)
	}
	elsewhere := as(meAt(h.id).Proof)
	elsewhere.to = h.Engine.id
	for what, try := range map[string]func() error{
		"again":         func() error { _, err := client.For(tape).VM(t.Context(), vm.ID); return err },
		"another thing": func() error { _, err := client.For(tape).Console(t.Context(), vm.ID); return err },
		"another method": func() error {
			_, err := client.For(tape).Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"})
			return err
		},
		"for another satellite": func() error { _, err := client.For(elsewhere).VM(t.Context(), vm.ID); return err },
		"as root":               func() error { _, err := client.For(as(api.Proof{})).VM(t.Context(), vm.ID); return err },
		"with what is b's":      func() error { _, err := client.For(as(meAt(b.id).Proof)).VM(t.Context(), vm.ID); return err },
		"with an SSH key that nobody delegated to": func() error {
			p := meAt(h.id).Proof
			p.Key = sshKey.String()
			_, err := client.For(as(p)).VM(t.Context(), vm.ID)
			return err
		},
	} {
		if err := try(); api.CodeOf(err) != api.CodeDenied {
			t.Errorf("%s: %v", what, err)
		}
	}
	if names := b.world.names(); !slices.Equal(names, []string{"web-1 running"}) {
		t.Errorf("s2 has %v", names)
	}
}
