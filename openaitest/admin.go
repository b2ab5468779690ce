package openaitest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// organization is the account as its administration sees it: projects that have
// service accounts that have keys. Every project exists whose id begins with
// "proj_".
type organization struct {
	mu       sync.Mutex
	admins   []string
	accounts []*serviceAccount // oldest first
}

type serviceAccount struct {
	project string
	object  serviceAccountObject
	keys    []*accountKey
}

// accountKey is a key with what its lists show of it.
type accountKey struct {
	value, id, name string
	created         int64
	used            *int64
}

type serviceAccountObject struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	CreatedAt int64  `json:"created_at"`
}

// createdAccount shows the value of the key, the one time that it is shown.
type createdAccount struct {
	serviceAccountObject
	Key *createdKey `json:"api_key"`
}

type createdKey struct {
	Object    string `json:"object"`
	Value     string `json:"value"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	ID        string `json:"id"`
}

type projectKeyObject struct {
	Object     string   `json:"object"`
	Redacted   string   `json:"redacted_value"`
	Name       string   `json:"name"`
	CreatedAt  int64    `json:"created_at"`
	LastUsedAt *int64   `json:"last_used_at"`
	ID         string   `json:"id"`
	Access     string   `json:"owner_project_access"`
	Owner      keyOwner `json:"owner"`
}

type keyOwner struct {
	Type    string               `json:"type"`
	Account serviceAccountObject `json:"service_account"`
}

func adminRoutes() []route {
	return []route{
		{http.MethodGet, "/organization/projects/{id}/service_accounts", mediaNone, serveAccounts},
		{http.MethodPost, "/organization/projects/{id}/service_accounts", mediaJSON, serveCreateAccount},
		{http.MethodGet, "/organization/projects/{id}/service_accounts/{id}", mediaNone, serveAccount},
		{http.MethodDelete, "/organization/projects/{id}/service_accounts/{id}", mediaNone, serveDeleteAccount},
		{http.MethodGet, "/organization/projects/{id}/api_keys", mediaNone, serveProjectKeys},
		{http.MethodGet, "/organization/projects/{id}/api_keys/{id}", mediaNone, serveProjectKey},
		{http.MethodDelete, "/organization/projects/{id}/api_keys/{id}", mediaNone, serveDeleteProjectKey},
	}
}

// found gives the simulation's own keys to service accounts of its project.
func (s *Sim) found(admins, keys []string) {
	s.org.admins = slices.Clone(admins)
	for _, k := range keys {
		a := s.newAccount(s.project, "founder")
		a.keys = append(a.keys, s.newKey(k, "founder"))
		s.org.accounts = append(s.org.accounts, a)
	}
}

func (s *Sim) newAccount(project, name string) *serviceAccount {
	return &serviceAccount{project: project, object: serviceAccountObject{
		Object: "organization.project.service_account", ID: s.ids.base62("user-", 24), Name: name, Role: "member", CreatedAt: s.now().Unix(),
	}}
}

func (s *Sim) newKey(value, name string) *accountKey {
	return &accountKey{value: value, id: s.ids.base62("key_", 16), name: name, created: s.now().Unix()}
}

// holder finds whose a key is; both are nil for one that nobody has. The caller
// holds the lock.
func (o *organization) holder(value string) (*serviceAccount, *accountKey) {
	for _, a := range o.accounts {
		for _, k := range a.keys {
			if k.value == value {
				return a, k
			}
		}
	}
	return nil, nil
}

// known reports whether a key is good for calls, and of which project it is.
func (s *Sim) known(key string) (project string, ok bool) {
	if len(s.org.admins) == 0 {
		return s.project, len(s.keys) == 0 || slices.Contains(s.keys, key)
	}
	s.org.mu.Lock()
	defer s.org.mu.Unlock()
	a, k := s.org.holder(key)
	if a == nil {
		return "", false
	}
	now := s.now().Unix()
	k.used = &now
	return a.project, true
}

// administrator refuses whoever may not administer: these paths take the keys of
// Options.AdminKeys and no others, which are good for nothing else.
func (x *exchange) administrator() *apiError {
	if slices.Contains(x.sim.org.admins, x.key) {
		return nil
	}
	if _, ok := x.sim.known(x.key); !ok {
		return incorrectKey(x.key)
	}
	return &apiError{
		Status: http.StatusForbidden, Type: "invalid_request_error", Code: "insufficient_permissions",
		Message: "You have insufficient permissions for this operation. Missing scopes: api.management.read. Check that you have the correct role in your organization.",
	}
}

func (x *exchange) isAdministration() bool {
	return strings.HasPrefix(x.route.pattern, "/v1/organization/")
}

// projectOf is the project that the path names.
func (x *exchange) projectOf() (string, *apiError) {
	if !strings.HasPrefix(x.ids[0], "proj_") {
		return "", notFound("", "No such project: %s.", x.ids[0])
	}
	return x.ids[0], nil
}

func serveCreateAccount(x *exchange) error {
	var req struct {
		Name *string `json:"name"`
		Only *bool   `json:"create_service_account_only"`
	}
	if e := decode(x.body, &req); e != nil {
		return e
	}
	if req.Name == nil {
		return missing("name")
	}
	project, e := x.projectOf()
	if e != nil {
		return e
	}
	s := x.sim
	a := s.newAccount(project, *req.Name)
	out := createdAccount{serviceAccountObject: a.object}
	if orElse(req.Only, false) {
		out.Role, a.object.Role = "none", "none"
	} else {
		k := s.newKey(s.ids.base62("sk-svcacct-", 74)+"T3BlbkFJ"+s.ids.base62("", 74), "Secret Key")
		a.keys = append(a.keys, k)
		out.Key = &createdKey{"organization.project.service_account.api_key", k.value, k.name, k.created, k.id}
	}
	s.org.mu.Lock()
	s.org.accounts = append(s.org.accounts, a)
	s.org.mu.Unlock()
	x.sendJSON(http.StatusOK, out)
	return nil
}

// accountsOf are the service accounts of a project, as they are now.
func (o *organization) accountsOf(project string) []serviceAccount {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []serviceAccount
	for _, a := range o.accounts {
		if a.project == project {
			now := serviceAccount{project, a.object, make([]*accountKey, len(a.keys))}
			for i, k := range a.keys {
				kept := *k
				now.keys[i] = &kept
			}
			out = append(out, now)
		}
	}
	return out
}

func (o *organization) keysOf(project string) []projectKeyObject {
	out := []projectKeyObject{}
	for _, a := range o.accountsOf(project) {
		for _, k := range a.keys {
			out = append(out, projectKeyObject{
				"organization.project.api_key", redactedKey(k.value), k.name, k.created, k.used, k.id, "active", keyOwner{"service_account", a.object},
			})
		}
	}
	return out
}

// redactedKey is a key as lists show it.
func redactedKey(value string) string {
	if len(value) < 16 {
		return "sk-..." + value[max(0, len(value)-2):]
	}
	return value[:8] + strings.Repeat("*", 20) + value[len(value)-4:]
}

// pageOfAdmin sends a page of a list, the oldest first.
func pageOfAdmin[T any](x *exchange, all []T, id func(T) string, more ...string) error {
	p, _, e := x.paging(pagingRules{order: "asc", limit: 20, most: 100, more: more})
	if e != nil {
		return e
	}
	page, rest, e := pageOf(p, all, id)
	if e != nil {
		return e
	}
	list := listObject{Object: "list", Data: []any{}, HasMore: rest}
	for _, v := range page {
		list.Data = append(list.Data, v)
	}
	if len(page) > 0 {
		list.FirstID, list.LastID = id(page[0]), id(page[len(page)-1])
	}
	x.sendJSON(http.StatusOK, list)
	return nil
}

func serveAccounts(x *exchange) error {
	project, e := x.projectOf()
	if e != nil {
		return e
	}
	var all []serviceAccountObject
	for _, a := range x.sim.org.accountsOf(project) {
		all = append(all, a.object)
	}
	return pageOfAdmin(x, all, func(o serviceAccountObject) string { return o.ID })
}

func serveAccount(x *exchange) error {
	for _, a := range x.sim.org.accountsOf(x.ids[0]) {
		if a.object.ID == x.ids[1] {
			x.sendJSON(http.StatusOK, a.object)
			return nil
		}
	}
	return notFound("", "No such service account: %s.", x.ids[1])
}

func serveDeleteAccount(x *exchange) error {
	o := &x.sim.org
	o.mu.Lock()
	n := len(o.accounts)
	o.accounts = slices.DeleteFunc(o.accounts, func(a *serviceAccount) bool { return a.project == x.ids[0] && a.object.ID == x.ids[1] })
	gone := len(o.accounts) < n
	o.mu.Unlock()
	if !gone {
		return notFound("", "No such service account: %s.", x.ids[1])
	}
	x.sendJSON(http.StatusOK, deletedObject{ID: x.ids[1], Object: "organization.project.service_account.deleted", Deleted: true})
	return nil
}

func serveProjectKeys(x *exchange) error {
	project, e := x.projectOf()
	if e != nil {
		return e
	}
	return pageOfAdmin(x, x.sim.org.keysOf(project), func(o projectKeyObject) string { return o.ID }, "owner_project_access")
}

func serveProjectKey(x *exchange) error {
	for _, k := range x.sim.org.keysOf(x.ids[0]) {
		if k.ID == x.ids[1] {
			x.sendJSON(http.StatusOK, k)
			return nil
		}
	}
	return notFound("", "No such API key: %s.", x.ids[1])
}

// serveDeleteProjectKey refuses: the keys here are those of service accounts, which
// go away with their account.
func serveDeleteProjectKey(x *exchange) error {
	for _, k := range x.sim.org.keysOf(x.ids[0]) {
		if k.ID == x.ids[1] {
			return badRequest("", "", "API keys cannot be deleted for service accounts, please delete the service account")
		}
	}
	return notFound("", "No such API key: %s.", x.ids[1])
}
