package directory

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"decenter/engine/api"
)

func good(t testing.TB) Config {
	dir := t.TempDir()
	makeCertificates(t, dir)
	write(t, filepath.Join(dir, "password"), "secret\n")
	s := &slapd{dir: dir, tls: "127.0.0.1:1", authorities: filepath.Join(dir, "ca.pem")}
	return s.config(newClock())
}

func TestTheConfigurationIsCheckedStrictly(t *testing.T) {
	c := good(t)
	if _, err := New(c); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"without TLS":              func(c *Config) { c.URL = "ldap://127.0.0.1" },
		"asked without TLS":        func(c *Config) { c.URL, c.PlainLoopback = "ldap://192.0.2.1", true },
		"would be asked":           func(c *Config) { c.URL, c.PlainLoopback = "ldap://localhost", true },
		"StartTLS does not go":     func(c *Config) { c.StartTLS = true },
		"not a directory's":        func(c *Config) { c.URL = "https://127.0.0.1" },
		"directory's URL":          func(c *Config) { c.URL = "ldaps://u:p@127.0.0.1" },
		"is not a directory's URL": func(c *Config) { c.URL = "ldaps://127.0.0.1/dc=x?uid" },
		"no policy":                func(c *Config) { c.WhenDown = "allow" },
		"out of range":             func(c *Config) { c.Timeout = time.Hour },
		"name of an attribute":     func(c *Config) { c.AccountAttribute = "uid=*)(x" },
		"an attribute":             func(c *Config) { c.AccountAttribute = "" },
		"both a name":              func(c *Config) { c.BindDN = "" },
		"bind_dn":                  func(c *Config) { c.BindDN = "gate" },
		"base":                     func(c *Config) { c.Base = "" },
		"neither an attribute":     func(c *Config) { c.GroupAttribute = "member of" },
		"is no filter":             func(c *Config) { c.GroupAttribute = "(member={dn}" },
		"no filter with":           func(c *Config) { c.GroupAttribute = "(member=x)" },
		"0 groups":                 func(c *Config) { c.Groups = nil },
		"is given the role":        func(c *Config) { c.Groups = map[string]api.Role{reader: api.RoleNone} },
		"not a name":               func(c *Config) { c.Groups = map[string]api.Role{"readers": api.RoleReader} },
		"mapped twice": func(c *Config) {
			c.Groups = map[string]api.Role{reader: api.RoleReader, strings.ToUpper(reader): api.RoleOwner}
		},
		"authorities cannot":      func(c *Config) { c.CAFile = "/nowhere" },
		"has no certificate":      func(c *Config) { c.CAFile = c.PasswordFile },
		"password cannot be read": func(c *Config) { c.PasswordFile = "/nowhere" },
	} {
		c := c
		change(&c)
		if _, err := New(c); api.CodeOf(err) != api.CodeInvalid || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said, but %v", want, err)
		}
	}
	if err := os.Chmod(c.PasswordFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Error(err)
	}
	write(t, c.PasswordFile, "")
	if err := os.Chmod(c.PasswordFile, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "anonymous bind") {
		t.Error(err)
	}
}

func TestTheCacheKeepsThoseAskedForLast(t *testing.T) {
	c := newCache()
	for n := range MaxCached + 5 {
		c.put(fmt.Sprint(n), answer{role: api.RoleReader})
		c.get("0")
	}
	if c.order.Len() != MaxCached || len(c.byAccount) != MaxCached {
		t.Error(c.order.Len(), len(c.byAccount))
	}
	if _, ok := c.get("0"); !ok {
		t.Error("the one that is asked for all the time is gone")
	}
	if _, ok := c.get("1"); ok {
		t.Error("the oldest is still there")
	}
}

func TestTheRestGrowsToItsBound(t *testing.T) {
	now := newClock().now()
	var r resting
	for want := minBackoff; want < maxBackoff; want *= 2 {
		r.fail(now, errTooLong)
		if got := r.until.Sub(now); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	for range 100 {
		r.fail(now, errTooLong)
	}
	if got := r.until.Sub(now); got != maxBackoff {
		t.Error(got)
	}
	if r.err(now) == nil || r.err(now.Add(maxBackoff)) != nil || r.err(now.Add(-time.Hour)) != nil {
		t.Error("it does not end, or not begin")
	}
}

func TestEqualNamesFold(t *testing.T) {
	for _, pair := range [][2]string{
		{"CN=A  b,DC=X", "cn=a b, dc=x"},
		{"cn=a+ou=b,dc=x", "OU=B+CN=A,dc=x"},
		{`cn=a\,b,dc=x`, `cn=a\2cb,dc=x`},
	} {
		a, err1 := foldName(pair[0])
		b, err2 := foldName(pair[1])
		if err1 != nil || err2 != nil || a != b {
			t.Errorf("%q and %q: %q, %q, %v, %v", pair[0], pair[1], a, b, err1, err2)
		}
	}
	for _, pair := range [][2]string{{"cn=a,dc=x", "cn=a,dc=y"}, {`cn=a\,dc=x`, "cn=a,dc=x"}, {`cn=a\2bou=b`, "cn=a+ou=b"}, {"cn=ab", "cn=a b"}} {
		a, _ := foldName(pair[0])
		b, _ := foldName(pair[1])
		if a == b {
			t.Errorf("%q and %q are one", pair[0], pair[1])
		}
	}
}

// fake answers each connection with fn.
func fake(t *testing.T, fn func(net.Conn)) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); fn(c) }()
		}
	}()
	c := good(t)
	c.URL, c.PlainLoopback, c.Timeout = "ldap://"+l.Addr().String(), true, time.Second
	c.BindDN, c.PasswordFile = "", ""
	return c
}

func TestAServerThatIsNoDirectory(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	defer func() {
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%d MiB were taken", n>>20)
		}
		for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines+1; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
			}
		}
	}()
	for name, fn := range map[string]func(net.Conn){
		"says nothing":     func(c net.Conn) { time.Sleep(4 * time.Second) },
		"hangs up":         func(net.Conn) {},
		"another protocol": func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-x\r\n")); time.Sleep(4 * time.Second) },
		"a length of 2 GiB": func(c net.Conn) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			time.Sleep(4 * time.Second)
		},
		"no end": func(c net.Conn) {
			// One message that goes on for ever: 0x30 0x84 and a length of 1 GiB.
			_, _ = c.Write([]byte{0x30, 0x84, 0x40, 0, 0, 0, 0x04, 0x84, 0x3f, 0xff, 0xff, 0})
			for block := make([]byte, 1<<16); ; {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, startTLS := range []bool{false, true} {
				c := fake(t, fn)
				c.StartTLS = startTLS
				g := gate(t, c)
				start := time.Now()
				expect(t, g, alice, "", api.CodeUnavailable)
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
			}
		})
	}
}

// FuzzFilter shows that an account of any bytes is one value of one comparison.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"bc1qalice", "*", ")(uid=*", `\2a`, "\x00", "\xff", "a=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, account string) {
		if account == "" {
			return
		}
		p, err := ldap.CompileFilter("(uid=" + ldap.EscapeFilter(account) + ")")
		if err != nil {
			t.Fatal(err)
		}
		if p.Tag != ldap.FilterEqualityMatch || len(p.Children) != 2 || p.Children[1].Data.String() != account {
			t.Fatalf("%q became %v", account, p)
		}
	})
}
