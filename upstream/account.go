package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/internal/seal"
)

// maxAccountAnswer is the most that an answer about the account may be, in bytes.
const maxAccountAnswer = 1 << 20

// Account speaks with the provider about keys and not about calls: whether a key
// is good, and with a key of the administration which keys a project has. The
// gateway itself never holds one of those.
type Account struct {
	base      string
	client    *http.Client
	keyHeader string
}

// NewAccount makes an Account from the address, key header and guards of o. It
// opens no connection.
func NewAccount(o Options) (*Account, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	c, err := netx.Client(netx.Options{BaseURL: o.BaseURL, InsecureHTTP: o.InsecureHTTP, AllowPrivate: o.AllowPrivate, Connect: o.Connect, RootCAs: o.RootCAs})
	if err != nil {
		return nil, fmt.Errorf("upstream: base_url: %w", err)
	}
	return &Account{base: strings.TrimRight(o.BaseURL, "/"), client: c, keyHeader: o.KeyHeader}, nil
}

// CloseIdle closes the connections that no question is using.
func (a *Account) CloseIdle() { a.client.CloseIdleConnections() }

// Standing is what the provider says about a key.
type Standing struct {
	// Status is that of its answer: 200 for a key that is good.
	Status int
	// Project and Organization are for whom the key answers, where it says so.
	Project, Organization string
}

// Probe asks the provider about a key, with a question that costs nothing (the list
// of models). An error says that there was no answer.
func (a *Account) Probe(ctx context.Context, key claviger.Secret) (Standing, error) {
	status, h, _, err := a.ask(ctx, key, question{method: http.MethodGet, path: "/models"})
	if err != nil {
		return Standing{}, err
	}
	return Standing{Status: status, Project: h.Get(headerProject), Organization: h.Get("Openai-Organization")}, nil
}

// question is one request.
type question struct {
	method, path string
	body         []byte
}

// ask sends a question. The answer's body is given for the status 200 alone.
func (a *Account) ask(ctx context.Context, key claviger.Secret, q question) (status int, h http.Header, body []byte, err error) {
	k := key.Reveal(seal.ForReveal())
	if !fitsHeader(k) {
		return 0, nil, nil, errors.New("the key is empty or holds characters that a header cannot carry")
	}
	var from io.Reader
	if q.body != nil {
		from = bytes.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, a.base+q.path, from)
	if err != nil {
		return 0, nil, nil, errors.New("no address of the provider")
	}
	if q.body != nil {
		r.Header.Set("Content-Type", typeJSON)
	}
	if a.keyHeader == KeyAPIKey {
		r.Header.Set("Api-Key", string(k))
	} else {
		r.Header.Set("Authorization", "Bearer "+string(k))
	}
	ans, err := netx.Ask(a.client, r, maxAccountAnswer)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("the provider gave no answer: %w", presentable(err))
	}
	if ans.Status == http.StatusOK {
		if err := ans.CheckJSON(); err != nil {
			return 0, nil, nil, fmt.Errorf("the provider: %w", err)
		}
	}
	return ans.Status, ans.Header, ans.Body, nil
}

// StatusError is an answer that is not 200.
type StatusError struct {
	// Doing says what was asked.
	Doing  string
	Status int
}

// Error implements error.
func (e *StatusError) Error() string {
	text := e.Doing + ": the provider answered " + strconv.Itoa(e.Status)
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += "; an admin key with the right to manage projects is needed"
	case http.StatusNotFound:
		text += "; does this admin key's organisation have it?"
	}
	return text
}

// ProjectKey is a key as a list of its project shows it.
type ProjectKey struct {
	ID, Name string
	// Account is the service account that has the key; empty for a person's.
	Account, AccountName string
	redacted             string
}

// NewKey is a key that was just made.
type NewKey struct {
	// Account is the service account that was made for it.
	Account string
	Secret  claviger.Secret
}

// ProjectKeys lists the keys of a project.
func (a *Account) ProjectKeys(ctx context.Context, admin claviger.Secret, project string) ([]ProjectKey, error) {
	var out []ProjectKey
	after := ""
	for range 1000 {
		path := projectPath(project) + "/api_keys?limit=100"
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		v, err := a.administer(ctx, admin, "list the keys of "+project, question{method: http.MethodGet, path: path})
		if err != nil {
			return nil, err
		}
		data, _ := v.Get("data")
		for _, e := range data.Items() {
			owner, _ := e.Get("owner")
			account, _ := owner.Get("service_account")
			out = append(out, ProjectKey{
				ID: text(e, "id"), Name: text(e, "name"), redacted: text(e, "redacted_value"),
				Account: text(account, "id"), AccountName: text(account, "name"),
			})
		}
		if more, _ := v.Get("has_more"); more.Kind() != jsonx.KindBool || !more.Bool() {
			return out, nil
		}
		if after = text(v, "last_id"); after == "" {
			break
		}
	}
	return nil, errors.New("the provider's list of keys has no end")
}

// Which returns those of a project's keys that key may be: a list shows no more
// than the first and the last letters.
func Which(list []ProjectKey, key claviger.Secret) []ProjectKey {
	value := string(key.Reveal(seal.ForReveal()))
	var out []ProjectKey
	for _, k := range list {
		first := strings.IndexAny(k.redacted, "*.\u2026")
		last := strings.LastIndexAny(k.redacted, "*.\u2026")
		if first < 1 || last < 0 {
			continue
		}
		tail := strings.TrimLeft(k.redacted[last:], "*.\u2026")
		if len(value) > first+len(tail) && tail != "" && strings.HasPrefix(value, k.redacted[:first]) && strings.HasSuffix(value, tail) {
			out = append(out, k)
		}
	}
	return out
}

// Create makes a service account with a key in a project.
func (a *Account) Create(ctx context.Context, admin claviger.Secret, project, name string) (NewKey, error) {
	body := jsonx.Append(nil, jsonx.Object(jsonx.Member{Name: "name", Value: jsonx.String(name)}))
	v, err := a.administer(ctx, admin, "make a service account in "+project, question{http.MethodPost, projectPath(project) + "/service_accounts", body})
	if err != nil {
		return NewKey{}, err
	}
	key, _ := v.Get("api_key")
	made := NewKey{Account: text(v, "id"), Secret: claviger.NewSecret([]byte(text(key, "value")))}
	if made.Account == "" || made.Secret.Len() == 0 {
		return NewKey{}, errors.New("the provider made a service account and gave no key for it; look in its settings, and delete the account there")
	}
	return made, nil
}

// Delete deletes a key, with its service account where it has one.
func (a *Account) Delete(ctx context.Context, admin claviger.Secret, project string, k ProjectKey) error {
	path := projectPath(project) + "/api_keys/" + url.PathEscape(k.ID)
	if k.Account != "" {
		path = projectPath(project) + "/service_accounts/" + url.PathEscape(k.Account)
	}
	v, err := a.administer(ctx, admin, "delete the key", question{method: http.MethodDelete, path: path})
	if err != nil {
		return err
	}
	if gone, _ := v.Get("deleted"); gone.Kind() != jsonx.KindBool || !gone.Bool() {
		return errors.New("the provider does not say that the key was deleted")
	}
	return nil
}

func projectPath(project string) string { return "/organization/projects/" + url.PathEscape(project) }

func (a *Account) administer(ctx context.Context, admin claviger.Secret, doing string, q question) (jsonx.Value, error) {
	status, _, body, err := a.ask(ctx, admin, q)
	if err != nil {
		return jsonx.Value{}, fmt.Errorf("%s: %w", doing, err)
	}
	if status != http.StatusOK {
		return jsonx.Value{}, &StatusError{doing, status}
	}
	v, err := jsonx.Parse(body)
	if err != nil || v.Kind() != jsonx.KindObject {
		return jsonx.Value{}, fmt.Errorf("%s: the provider's answer is no JSON object", doing)
	}
	return v, nil
}
