package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/go-ldap/ldap/v3"

	"decenter/engine/api"
)

// link is the connection, or the rest after a failure. Who holds the gate's turn uses it alone.
type link struct {
	plan *plan
	rest resting
	wire *wire
	conn *ldap.Conn
}

// ask asks for an account. Errors are of api.CodeUnavailable and begin a rest.
func (l *link) ask(ctx context.Context, account string) (answer, error) {
	if err := l.rest.err(l.plan.Now()); err != nil {
		return answer{}, err
	}
	kept := l.conn != nil && !l.conn.IsClosing()
	a, err := l.try(ctx, account)
	if err != nil && kept && ctx.Err() == nil {
		// The directory may have ended a connection that it was not asked on for long.
		a, err = l.try(ctx, account)
	}
	now := l.plan.Now()
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("it did not answer within %v", l.plan.Timeout)
		}
		err = unavailable("the directory cannot be asked", err)
		if l.rest.failures == 0 {
			l.plan.Log.Warn("the directory cannot be asked", "directory", l.plan.URL, "error", err)
		}
		l.rest.fail(now, err)
		return answer{}, err
	}
	if l.rest.failures > 0 {
		l.plan.Log.Info("the directory answers again", "directory", l.plan.URL)
	}
	l.rest = resting{}
	return a, nil
}

// try asks once, on the connection that is there or a new one, and drops it with any error.
func (l *link) try(ctx context.Context, account string) (a answer, err error) {
	if l.conn != nil && l.conn.IsClosing() {
		l.drop()
	}
	if l.conn == nil {
		if err := l.dial(ctx); err != nil {
			l.drop()
			return a, err
		}
	}
	err = l.within(ctx, func() error {
		a, err = l.plan.lookUp(l.conn, account)
		return err
	})
	if err != nil {
		l.drop()
	}
	return a, err
}

// dial connects, starts TLS and binds.
func (l *link) dial(ctx context.Context) error {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", l.plan.address)
	if err != nil {
		return err
	}
	l.wire = &wire{Conn: raw}
	var c net.Conn = l.wire
	if l.plan.implicit {
		secure := tls.Client(l.wire, l.plan.tls.Clone())
		l.wire.left.Store(maxAnswer)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("starting TLS: %w", err)
		}
		c = secure
	}
	l.conn = ldap.NewConn(c, l.plan.implicit)
	l.conn.Start()
	return l.within(ctx, func() error {
		if l.plan.StartTLS {
			if err := l.conn.StartTLS(l.plan.tls.Clone()); err != nil {
				return fmt.Errorf("starting TLS: %w", err)
			}
		}
		if l.plan.BindDN == "" {
			return nil
		}
		password, err := l.plan.password()
		if err != nil {
			return err
		}
		if err := l.conn.Bind(l.plan.BindDN, password); err != nil {
			return fmt.Errorf("binding as %s: %w", l.plan.BindDN, err)
		}
		return nil
	})
}

// within runs fn, which uses the connection, and cuts the wire when ctx ends: that is what makes fn return.
func (l *link) within(ctx context.Context, fn func() error) error {
	w := l.wire
	w.left.Store(maxAnswer)
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	if err := fn(); err != nil {
		return err
	}
	return ctx.Err()
}

// drop ends the connection, without waiting for the other side.
func (l *link) drop() {
	if l.wire != nil {
		_ = l.wire.Close()
	}
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.wire, l.conn = nil, nil
}

// wire is the TCP connection, below TLS, that gives at most so many bytes for one question.
type wire struct {
	net.Conn
	left atomic.Int64
}

// Read is of net.Conn.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if w.left.Add(-int64(n)) < 0 {
		return 0, errTooLong
	}
	return n, err
}

// lookUp finds the account's entry and the highest role of its groups.
func (p *plan) lookUp(c *ldap.Conn, account string) (answer, error) {
	attributes := []string{p.AccountAttribute}
	if !p.byFilter() {
		attributes = append(attributes, p.GroupAttribute)
	}
	filter := fmt.Sprintf("(%s=%s)", p.AccountAttribute, ldap.EscapeFilter(account))
	// Two are enough to know that it is not one.
	found, err := c.Search(p.question(p.Base, ldap.ScopeWholeSubtree, 2, filter, attributes))
	if tooMany(err) && found != nil && len(found.Entries) > 1 {
		err = nil
	}
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("searching below %s: %w", p.Base, err)
	case len(found.Entries) == 0:
		return answer{denied: denied("the directory has no entry for "+account, "ask who runs the directory to add it")}, nil
	case len(found.Entries) > 1:
		return answer{denied: denied("the directory has more than one entry for "+account, "ask who runs the directory to leave one")}, nil
	}
	entry := found.Entries[0]
	if !has(entry.GetEqualFoldAttributeValues(p.AccountAttribute), account) {
		return answer{denied: denied(fmt.Sprintf("the entry %s does not have %s to the letter", entry.DN, account), "ask who runs the directory to correct it")}, nil
	}
	role := api.RoleNone
	if p.byFilter() {
		role, err = p.askGroups(c, entry.DN, account)
	} else {
		role, err = p.readGroups(entry)
	}
	if err != nil {
		return answer{}, err
	}
	if role == api.RoleNone {
		return answer{denied: denied("the directory has "+account+" in no group with a role", "ask who runs the directory to add it to one")}, nil
	}
	return answer{role: role}, nil
}

// tooMany tells whether there are more entries than were asked for: the directory says so, or gave them all the same.
func tooMany(err error) bool {
	return ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || errors.Is(err, ldap.ErrSizeLimitExceeded)
}

func has(values []string, want string) bool {
	for _, v := range values {
		if v == want {
			return true
		}
	}
	return false
}

// question is a search that the directory is to end by itself in time.
func (p *plan) question(base string, scope, limit int, filter string, attributes []string) *ldap.SearchRequest {
	seconds := max(int(p.Timeout.Seconds()), 1)
	q := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, limit, seconds, false, filter, attributes, nil)
	q.EnforceSizeLimit = true
	return q
}

// readGroups maps the groups that the entry names.
func (p *plan) readGroups(entry *ldap.Entry) (api.Role, error) {
	best := api.RoleNone
	for _, a := range entry.Attributes {
		name, option, _ := strings.Cut(a.Name, ";")
		if !strings.EqualFold(name, p.GroupAttribute) {
			continue
		}
		if strings.HasPrefix(strings.ToLower(option), "range=") {
			// Active Directory gives the first 1,500 alone ([MS-ADTS] 3.1.1.3.1.3.3): the one that counts may be behind them.
			return api.RoleNone, fmt.Errorf("%s has more values of %s than the directory gives at once: use a filter instead", entry.DN, p.GroupAttribute)
		}
		for _, dn := range a.Values {
			folded, err := foldName(dn)
			if err != nil {
				continue // a value that is no name is no group of ours
			}
			if role, ok := p.byName[folded]; ok && rank(role) > rank(best) {
				best = role
			}
		}
	}
	return best, nil
}

// askGroups asks each mapped group, from the highest role down, whether it matches the filter.
func (p *plan) askGroups(c *ldap.Conn, dn, account string) (api.Role, error) {
	filter := p.groupFilter(dn, account)
	for _, g := range p.groups {
		found, err := c.Search(p.question(g.dn, ldap.ScopeBaseObject, 1, filter, []string{"1.1"}))
		switch {
		case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
			continue // a group that is not there has no members
		case err != nil:
			return api.RoleNone, fmt.Errorf("asking the group %s: %w", g.dn, err)
		case len(found.Entries) == 1:
			return g.role, nil
		}
	}
	return api.RoleNone, nil
}
