package directory

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"decenter/engine/api"
)

// expect asks for an account and compares; an empty code is a role.
func expect(t *testing.T, g *Gate, account string, role api.Role, code api.Code) {
	t.Helper()
	got, err := g.Role(context.Background(), account)
	switch {
	case code == "" && (err != nil || got != role):
		t.Errorf("%q: %q, %v; want %q", account, got, err, role)
	case code != "" && (err == nil || api.CodeOf(err) != code || got != api.RoleNone):
		t.Errorf("%q: %q, %v; want %s", account, got, err, code)
	}
}

func TestAccountsAndTheirGroups(t *testing.T) {
	s := startSlapd(t)
	startTLS := s.config(newClock())
	startTLS.URL, startTLS.StartTLS = "ldap://"+s.plain, true
	filter := s.config(newClock())
	filter.GroupAttribute = "(&(objectClass=groupOfNames)(member={dn}))"
	for name, c := range map[string]Config{"LDAPS": s.config(newClock()), "StartTLS": startTLS, "a filter": filter} {
		t.Run(name, func(t *testing.T) {
			g := gate(t, c)
			expect(t, g, alice, api.RoleOperator, "")
			expect(t, g, bob, api.RoleReader, "") // whose name has a filter's characters
			expect(t, g, base58, api.RoleReader, "")
			expect(t, g, carol, "", api.CodeDenied)
			expect(t, g, mallory, "", api.CodeDenied)
			expect(t, g, twin, "", api.CodeDenied)
			expect(t, g, "", "", api.CodeDenied)
			expect(t, g, strings.Repeat("b", 200), "", api.CodeDenied)
			// The directory itself finds this one: it compares without regard to case.
			expect(t, g, strings.ToLower(base58), "", api.CodeDenied)
		})
	}
	if s.saw("STARTTLS", 1) == 0 {
		t.Error("the directory saw no StartTLS")
	}
}

func TestNestedGroupsAreAskedAsActiveDirectoryWantsIt(t *testing.T) {
	// OpenLDAP does not know the rule and finds nobody; what is shown is that it is asked so.
	s := startSlapd(t)
	c := s.config(newClock())
	c.GroupAttribute = NestedAD
	expect(t, gate(t, c), bob, "", api.CodeDenied)
	s.saw("SEARCH RESULT", 3)
	if log := s.log.String(); !strings.Contains(log, "1.2.840.113556.1.4.1941") && !strings.Contains(log, "(?=undefined)") {
		t.Error(log)
	}
	// The filter is the rule's, with the name in it to the byte.
	p, err := ldap.CompileFilter((&plan{Config: c}).groupFilter(`cn=bob \28x,o=y)(uid=*`, bob))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := ldap.DecompileFilter(p); err != nil || back != `(member:1.2.840.113556.1.4.1941:=cn=bob \5c28x,o=y\29\28uid=\2a)` {
		t.Error(back, err)
	}
}

func TestAChangeOfGroupsIsSeenAfterTheCachesTime(t *testing.T) {
	s, c := startSlapd(t), newClock()
	g := gate(t, s.config(c))
	expect(t, g, bob, api.RoleReader, "")
	expect(t, g, carol, "", api.CodeDenied)
	s.modify(t, "ldapmodify", member("delete", reader, `cn=bob \28the (first)\29,ou=people,dc=example,dc=org`))
	s.modify(t, "ldapmodify", member("add", operator, "cn=carol,ou=people,dc=example,dc=org"))
	c.advance(NegativeLife - time.Second)
	expect(t, g, carol, "", api.CodeDenied)
	c.advance(time.Second)
	expect(t, g, carol, api.RoleOperator, "")
	c.advance(PositiveLife - NegativeLife - time.Second)
	expect(t, g, bob, api.RoleReader, "")
	c.advance(time.Second)
	expect(t, g, bob, "", api.CodeDenied)
}

func TestADirectoryThatIsNotTheOneIsNotBelieved(t *testing.T) {
	s := startSlapd(t)
	_, port, _ := strings.Cut(s.tls, ":")
	_, plainPort, _ := strings.Cut(s.plain, ":")
	wrongCA, startTLS, wrongName := s.config(newClock()), s.config(newClock()), s.config(newClock())
	wrongCA.CAFile = filepath.Join(s.dir, "other.pem")
	startTLS.CAFile, startTLS.URL, startTLS.StartTLS = wrongCA.CAFile, "ldap://127.0.0.1:"+plainPort, true
	wrongName.URL = "ldaps://localhost:" + port // its certificate is for 127.0.0.1
	controls := 0
	for name, c := range map[string]Config{"another authority": wrongCA, "another authority, StartTLS": startTLS, "another name": wrongName} {
		t.Run(name, func(t *testing.T) {
			g := gate(t, c)
			expect(t, g, alice, "", api.CodeUnavailable)
			// Negative control: the certificate's check is what stops it.
			g = gate(t, c)
			g.plan.tls.InsecureSkipVerify = true
			expect(t, g, alice, api.RoleOperator, "")
			controls++
			if n := s.saw(`BIND dn="`+gateDN+`" method=128`, controls); n != controls {
				t.Errorf("the password was sent %d times, not the %d of the controls", n, controls)
			}
		})
	}
}

func TestADirectoryThatIsDown(t *testing.T) {
	s, c := startSlapd(t), newClock()
	lenient := s.config(c)
	lenient.WhenDown = Cached
	refusing, keeping := gate(t, s.config(c)), gate(t, lenient)
	for _, g := range []*Gate{refusing, keeping} {
		expect(t, g, alice, api.RoleOperator, "")
		expect(t, g, carol, "", api.CodeDenied)
	}
	s.kill()
	expect(t, refusing, alice, api.RoleOperator, "") // the cache is what spares the directory
	c.advance(PositiveLife)
	expect(t, refusing, alice, "", api.CodeUnavailable)
	expect(t, keeping, alice, api.RoleOperator, "")
	expect(t, keeping, carol, "", api.CodeDenied)
	expect(t, keeping, bob, "", api.CodeUnavailable) // who was never asked for
	c.advance(MaxStale - PositiveLife - time.Second)
	expect(t, keeping, alice, api.RoleOperator, "")
	c.advance(time.Second)
	expect(t, keeping, alice, "", api.CodeUnavailable)

	s.start(t)
	expect(t, refusing, bob, api.RoleReader, "") // its rest is over
	expect(t, keeping, alice, "", api.CodeUnavailable)
	c.advance(maxBackoff)
	expect(t, keeping, alice, api.RoleOperator, "")
}

func TestAConnectionThatTheDirectoryEndedIsReplaced(t *testing.T) {
	s, c := startSlapd(t), newClock()
	g := gate(t, s.config(c))
	expect(t, g, alice, api.RoleOperator, "")
	s.kill()
	s.start(t)
	expect(t, g, bob, api.RoleReader, "")
	time.Sleep(4 * time.Second) // its idletimeout is 2 s
	expect(t, g, base58, api.RoleReader, "")
}

func TestNoAccountLeavesItsFilter(t *testing.T) {
	s := startSlapd(t)
	g := gate(t, s.config(newClock()))
	for _, account := range []string{"*", "bc1qalic*", "bc1qalice)(uid=*", "bc1qmallory)(|(uid=bc1qalice)", "*)(objectClass=*", `\62c1qalice`,
		"bc1qalice\x00", "bc1qalice ", " bc1qalice", "BC1QALICE", "bc1qalice\n", "bc1q\xffalice", ")", `\`} {
		expect(t, g, account, "", api.CodeDenied)
	}
	// Negative control: unescaped, the first of these finds somebody.
	g.turn <- struct{}{}
	defer func() { <-g.turn }()
	found, err := g.link.conn.Search(g.plan.question(g.plan.Base, ldap.ScopeWholeSubtree, 9, "(uid=bc1qalic*)", []string{"uid"}))
	if err != nil || len(found.Entries) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestAHangingDirectoryCostsABoundedTime(t *testing.T) {
	s, c := startSlapd(t), newClock()
	config := s.config(c)
	config.Timeout = time.Second
	g := gate(t, config)
	expect(t, g, alice, api.RoleOperator, "")
	goOn := s.stop(t)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := g.Role(ctx, bob); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 400*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	start = time.Now()
	var wg sync.WaitGroup
	for n := range 300 {
		wg.Go(func() { expect(t, g, fmt.Sprint("account", n), "", api.CodeUnavailable) })
	}
	wg.Wait()
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("300 calls took %v", took)
	}
	start = time.Now()
	expect(t, g, bob, "", api.CodeUnavailable)
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Errorf("while it rests a call took %v", took)
	}
	c.advance(maxBackoff) // a new connection: slapd's kernel takes it, slapd says nothing
	start = time.Now()
	expect(t, g, bob, "", api.CodeUnavailable)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("a new connection took %v", took)
	}
	goOn()
	c.advance(maxBackoff)
	expect(t, g, bob, api.RoleReader, "")
}

func TestCallsShareAnAnswerAndAConnection(t *testing.T) {
	s := startSlapd(t)
	g := gate(t, s.config(newClock()))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { expect(t, g, alice, api.RoleOperator, "") })
		wg.Go(func() { expect(t, g, bob, api.RoleReader, "") })
	}
	wg.Wait()
	for _, account := range []string{alice, bob} {
		if n := s.saw(`filter="(uid=`+account+`)"`, 1); n != 1 {
			t.Errorf("%d questions for %s", n, account)
		}
	}
	if n := s.saw(`BIND dn="`+gateDN+`" method=128`, 1); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAWrongPasswordIsNoAnswer(t *testing.T) {
	s, c := startSlapd(t), newClock()
	config := s.config(c)
	config.PasswordFile = filepath.Join(s.dir, "another")
	write(t, config.PasswordFile, "not this one")
	g := gate(t, config)
	expect(t, g, alice, "", api.CodeUnavailable)
	// It is read anew at each bind: correcting it needs no restart.
	write(t, config.PasswordFile, "let me in\n")
	c.advance(maxBackoff)
	expect(t, g, alice, api.RoleOperator, "")
	// Emptied, it would be an anonymous bind.
	g = gate(t, config)
	write(t, config.PasswordFile, "\n")
	expect(t, g, alice, "", api.CodeUnavailable)
}

func TestAClosedGateAnswersNothing(t *testing.T) {
	s, c := startSlapd(t), newClock()
	config := s.config(c)
	config.WhenDown = Cached
	g := gate(t, config)
	expect(t, g, alice, api.RoleOperator, "")
	s.stop(t)
	done := make(chan error)
	go func() { _, err := g.Role(context.Background(), bob); done <- err }()
	time.Sleep(100 * time.Millisecond)
	start := time.Now()
	if err := g.Close(); err != nil || time.Since(start) > time.Second {
		t.Errorf("closing took %v: %v", time.Since(start), err)
	}
	if err := <-done; api.CodeOf(err) != api.CodeUnavailable {
		t.Error(err)
	}
	c.advance(PositiveLife)
	expect(t, g, alice, "", api.CodeUnavailable)
}

func BenchmarkRole(b *testing.B) {
	s, c := startSlapd(b), newClock()
	g := gate(b, s.config(c))
	for name, age := range map[string]time.Duration{"cached": 0, "asked": PositiveLife} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.advance(age)
				if _, err := g.Role(context.Background(), alice); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
