package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// person is an account of its own, who logs in with an SSH key by a delegation.
type person struct {
	key     keys.PrivateKey
	account keys.Address
}

func newPerson(t *testing.T, n byte) person {
	t.Helper()
	k, err := keys.NewPrivateKey(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return person{k, k.Address(keys.Mainnet, keys.P2WPKH)}
}

var sshKey = keys.Fingerprint{7, 7, 7}

// at is the person, logged in over ssh, with a scope.
func (p person) at(t *testing.T, s *sat, scope statement.Scope) api.Service {
	t.Helper()
	return s.Open(p.caller(t, s.Engine.id, scope))
}

// caller is the person as whoever logged in at a satellite is.
func (p person) caller(t *testing.T, at keys.Fingerprint, scope statement.Scope) api.Caller {
	t.Helper()
	from := time.Now().UTC().Truncate(time.Second)
	voucher, err := statement.NewVoucherKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	line := statement.Line(statement.Delegation{Account: p.account, Key: sshKey, Scope: scope, From: from, Until: from.Add(time.Hour), Via: voucher.Voucher()})
	signature, err := p.key.Sign(p.account, line)
	if err != nil {
		t.Fatal(err)
	}
	return api.Caller{Account: p.account.String(), Via: viaSSH, Proof: api.Proof{Line: line, Signature: signature, Key: sshKey.String(),
		Vouched: voucher.Vouch(line, at).String()}}
}

// says has the person sign a statement.
func (p person) says(t *testing.T, s statement.Statement) api.Signed {
	t.Helper()
	line, err := statement.New(s)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := p.key.Sign(p.account, line)
	if err != nil {
		t.Fatal(err)
	}
	return api.Signed{Line: line, Signature: signature}
}

func (s *sat) hears(t *testing.T, said api.Signed) {
	t.Helper()
	if _, err := s.open().Declare(t.Context(), said); err != nil {
		t.Fatal(err)
	}
}

func grant(role statement.Role, to person, on statement.Object) statement.Grant {
	return statement.Grant{Account: myAddress, Constellation: "test", Role: role, To: to.account, Object: on, At: time.Now().UTC().Truncate(time.Second)}
}

var owner = person{myKey, myAddress}

func names(r api.SearchReply) (all []string) {
	for _, it := range r.Items {
		if it.Kind == api.KindVM {
			all = append(all, it.Name)
		}
	}
	return all
}

// TestATenantHasVMsOfItsOwnAndSeesNoOther, on the satellite that is asked and on another one.
func TestATenantHasVMsOfItsOwnAndSeesNoOther(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	theirs := create(t, a, "theirs", "s2")
	tenant := newPerson(t, 3)
	if _, err := tenant.at(t, a, statement.All).Search(t.Context(), api.Query{}); api.CodeOf(err) != api.CodeDenied || !strings.Contains(err.Error(), "not known") {
		t.Fatalf("a stranger searches: %v", err)
	}
	for _, s := range []*sat{a, b} {
		s.hears(t, owner.says(t, grant(statement.Tenant, tenant, statement.ObjectAll)))
	}
	svc := tenant.at(t, a, statement.All)
	job, err := svc.Create(t.Context(), api.CreateRequest{Name: "mine", From: "tiny", Satellite: "s2"})
	if job = follow(t, svc, job, err); job.State != api.JobDone || job.Owner != tenant.account.String() {
		t.Fatalf("create: %+v", job)
	}
	r, err := svc.Search(t.Context(), api.Query{})
	if got := names(r); err != nil || !slices.Equal(got, []string{"mine"}) || len(r.Refused)+len(r.Silent) != 0 {
		t.Errorf("the tenant sees %v, %v, %+v", got, err, r)
	}
	if r, err := a.open().Search(t.Context(), api.Query{}); err != nil || !slices.Equal(names(r), []string{"mine", "theirs"}) {
		t.Errorf("the owner sees %v, %v", names(r), err)
	}
	for what, try := range map[string]func() error{
		"see": func() error { _, err := svc.VM(t.Context(), theirs.ID); return err },
		"pause": func() error {
			_, err := svc.Control(t.Context(), api.ControlRequest{VM: theirs.ID, Act: api.ActPause})
			return err
		},
		"delete": func() error {
			_, err := svc.Delete(t.Context(), api.DeleteRequest{VM: theirs.ID, Confirm: "theirs"})
			return err
		},
		"console": func() error { _, err := svc.Console(t.Context(), theirs.ID); return err },
	} {
		if err := try(); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("%s what is another's: %v", what, err)
		}
	}
	all, err := svc.Jobs(t.Context(), api.JobsRequest{})
	if err != nil || slices.ContainsFunc(all.Jobs, func(j api.Job) bool { return j.Object == "theirs" }) || len(all.Jobs) != 1 {
		t.Errorf("the tenant's jobs: %+v, %v", all, err)
	}
	// A role on one VM shows that one, and a reader changes nothing.
	for _, s := range []*sat{a, b} {
		s.hears(t, owner.says(t, grant(statement.Reader, tenant, statement.ObjectVM(theirs.ID))))
	}
	if _, err := svc.VM(t.Context(), "theirs"); err != nil {
		t.Errorf("a reader sees it not: %v", err)
	}
	for role, s := range map[api.Role]api.Service{api.RoleTenant: svc, api.RoleOwner: a.open()} {
		if h, err := s.Hello(t.Context()); err != nil || h.Role != role || h.Ejected {
			t.Errorf("%s is told %+v, %v", role, h, err)
		}
	}
	if _, err := svc.Control(t.Context(), api.ControlRequest{VM: "theirs", Act: api.ActPause}); api.CodeOf(err) != api.CodeDenied || !strings.Contains(err.Error(), "operator") {
		t.Errorf("a reader pauses: %v", err)
	}
}

// TestTheScopeOfALoginBinds, also on another satellite.
func TestTheScopeOfALoginBinds(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	create(t, a, "web-1", "s2")
	for _, c := range []struct {
		scope           statement.Scope
		control, delete bool
	}{{statement.Read, false, false}, {statement.Operate, true, false}, {statement.All, true, true}} {
		svc := owner.at(t, a, c.scope)
		h, err := svc.Hello(t.Context())
		if err != nil || h.Scope != api.Scope(c.scope) || h.Key != sshKey.String() || h.Until == nil {
			t.Errorf("%s: %+v, %v", c.scope, h, err)
		}
		job, err := svc.Control(t.Context(), api.ControlRequest{VM: "web-1", Act: api.ActReset})
		if (err == nil) != c.control || err != nil && api.CodeOf(err) != api.CodeDenied {
			t.Errorf("%s: reset: %v", c.scope, err)
		}
		if err == nil {
			follow(t, svc, job, nil)
		}
		job, err = svc.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
		if (err == nil) != c.delete || err != nil && api.CodeOf(err) != api.CodeDenied {
			t.Errorf("%s: delete: %v", c.scope, err)
		}
		if err == nil {
			follow(t, svc, job, nil)
		}
	}
}

// TestWhatIsRevokedEndsStreamsToo: a stream of events ends when its key is revoked, at the satellite that hears of it.
func TestWhatIsRevokedEndsStreamsToo(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	vm := create(t, a, "web-1", "s2")
	svc, atB := owner.at(t, a, statement.All), owner.at(t, b, statement.All).(constellation).local()
	began, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- svc.Events(t.Context(), api.EventsRequest{}, func(api.Event) error {
			select {
			case began <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	for heard := false; !heard; { // it is not told when the stream stands
		job, err := a.open().Control(t.Context(), api.ControlRequest{VM: vm.ID, Act: api.ActReset})
		follow(t, a.open(), job, err)
		select {
		case <-began:
			heard = true
		default:
		}
	}
	a.hears(t, owner.says(t, statement.Revocation{Account: myAddress, Key: sshKey, At: time.Now().UTC().Truncate(time.Second).Add(time.Second)}))
	select {
	case err := <-ended:
		if api.CodeOf(err) != api.CodeDenied || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("the stream ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on")
	}
	if _, err := svc.Search(t.Context(), api.Query{}); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("a revoked key searches: %v", err)
	}
	// s2 was not told, and takes the key still: what stops it is the statement and nothing else.
	if _, err := atB.VM(t.Context(), "web-1"); err != nil {
		t.Errorf("at s2: %v", err)
	}
}

// TestEveryDecisionIsWrittenDown where it was made.
func TestEveryDecisionIsWrittenDown(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	create(t, a, "web-1", "s2")
	reader := owner.at(t, a, statement.Read)
	_, _ = reader.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
	stranger := newPerson(t, 9)
	_, _ = stranger.at(t, a, statement.All).Search(t.Context(), api.Query{})
	r, err := a.open().Audit(t.Context(), api.AuditRequest{Verify: true})
	if err != nil || len(r.Chains) != 2 || r.Chains[0].Broken+r.Chains[1].Broken != "" {
		t.Fatalf("%+v, %v", r.Chains, err)
	}
	has := func(action, account string, v api.Verdict, via string) bool {
		return slices.ContainsFunc(r.Entries, func(e api.AuditEntry) bool {
			return e.Action == action && e.Account == account && e.Verdict == v && e.Via == via && e.Reason != ""
		})
	}
	for what, ok := range map[string]bool{
		"the create at s2":        has("create", myAddress.String(), api.VerdictAllow, viaPeer),
		"the denied delete at s2": has("delete", myAddress.String(), api.VerdictDeny, viaPeer),
		"the stranger at s1":      has("read", stranger.account.String(), api.VerdictDeny, viaSSH),
	} {
		if !ok {
			t.Errorf("%s is not in the log: %+v", what, r.Entries)
		}
	}
	// Others read what is about themselves alone.
	tenant := newPerson(t, 3)
	for _, s := range []*sat{a, b} {
		s.hears(t, owner.says(t, grant(statement.Tenant, tenant, statement.ObjectAll)))
	}
	own, err := tenant.at(t, a, statement.All).Audit(t.Context(), api.AuditRequest{})
	if err != nil || slices.ContainsFunc(own.Entries, func(e api.AuditEntry) bool { return e.Account != tenant.account.String() }) {
		t.Errorf("the tenant reads %+v, %v", own.Entries, err)
	}
}

// directory is one that the test tells what to say.
type directory map[string]api.Role

func (d directory) Role(_ context.Context, account string) (api.Role, error) {
	role, ok := d[account]
	if !ok {
		return api.RoleNone, &api.Error{Code: api.CodeDenied, Message: "no entry for " + account}
	}
	return role, nil
}

// TestADirectoryIsASecondGate: it lets nobody in whose signature is not there, keeps out whom it does not have, owners
// too, and gives roles by groups.
func TestADirectoryIsASecondGate(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	tenant, other := newPerson(t, 3), newPerson(t, 4)
	a.Engine.cfg.Trust.Directory = directory{tenant.account.String(): api.RoleTenant}
	ask := func(p person) error {
		_, err := p.at(t, a, statement.All).Hello(t.Context())
		return err
	}
	if err := ask(tenant); err != nil {
		t.Errorf("who has an entry: %v", err)
	}
	for what, p := range map[string]person{"who has none": other, "an owner who has none": owner} {
		if err := ask(p); api.CodeOf(err) != api.CodeDenied || !strings.Contains(err.Error(), "directory") {
			t.Errorf("%s: %v", what, err)
		}
	}
	unsigned := a.Open(api.Caller{Account: tenant.account.String(), Via: viaSSH})
	if _, err := unsigned.Hello(t.Context()); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("an entry without a signature is enough: %v", err)
	}
	if _, err := a.Open(me).Hello(t.Context()); err != nil { // root needs no entry: who has the machine has it
		t.Errorf("root: %v", err)
	}
}

// TestOnlyWhoIsAdmittedIsAnswered: TLS alone proves a key, and not that it belongs here; an ejection ends what was open.
func TestOnlyWhoIsAdmittedIsAnswered(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	create(t, a, "web-1", "s2")
	b.hears(t, owner.says(t, statement.Membership{Account: myAddress, Constellation: "test", Satellite: fingerprint(a.id), At: time.Now().UTC().Truncate(time.Second)}))
	r, err := a.open().Search(t.Context(), api.Query{})
	if err != nil || len(names(r)) != 0 || len(r.Refused) != 1 || !strings.Contains(r.Refused[0].Reason, "not admitted") {
		t.Errorf("an ejected satellite is told %+v, %v", r, err)
	}
	if _, err := a.open().VM(t.Context(), "web-1"); api.CodeOf(err) != api.CodeNotFound || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestAForgedStatementIsDeniedAndNothingElse: it is one entry of the log, not one that allows and one that denies.
func TestAForgedStatementIsDeniedAndNothingElse(t *testing.T) {
	t.Parallel()
	a := satellite(t, "s1").live(t)
	said := owner.says(t, grant(statement.Tenant, newPerson(t, 3), statement.ObjectAll))
	said.Signature = newPerson(t, 4).says(t, statement.Revocation{Account: newPerson(t, 4).account, At: time.Now().UTC().Truncate(time.Second)}).Signature
	if _, err := a.open().Declare(t.Context(), said); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("a forged statement: %v", err)
	}
	r, err := a.open().Audit(t.Context(), api.AuditRequest{Query: api.Query{Filters: []api.Filter{{Key: api.KeyAction, Values: []string{"declare"}}}}})
	if err != nil || len(r.Entries) != 1 || r.Entries[0].Verdict != api.VerdictDeny || !strings.Contains(r.Entries[0].Object, "tenant") {
		t.Errorf("the log has %+v, %v", r.Entries, err)
	}
	// Of two about the same the later one holds, and the asker is told which.
	later, earlier := grant(statement.Tenant, newPerson(t, 3), statement.ObjectAll), grant(statement.Reader, newPerson(t, 3), statement.ObjectAll)
	earlier.At = later.At.Add(-time.Hour)
	a.hears(t, owner.says(t, later))
	if _, err := a.open().Declare(t.Context(), owner.says(t, earlier)); api.CodeOf(err) != api.CodeConflict || !strings.Contains(err.Error(), " tenant to ") {
		t.Errorf("an earlier statement: %v", err)
	}
}

// TestAFullDiskKeepsNoRevocationOut: nothing is done that cannot be written down, but for taking rights away.
func TestAFullDiskKeepsNoRevocationOut(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	friend := newPerson(t, 3)
	session := owner.at(t, a, statement.All)
	if err := a.cfg.Trust.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := session.Declare(t.Context(), owner.says(t, grant(statement.Reader, friend, statement.ObjectAll))); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("a grant that nobody will ever read of: %v", err)
	}
	said := owner.says(t, statement.Revocation{Account: myAddress, Key: keys.Fingerprint{9}, At: time.Now().UTC().Truncate(time.Second)})
	if _, err := session.Declare(t.Context(), said); err != nil {
		t.Errorf("a revocation is kept out: %v", err)
	}
}
