// Package openai is the gateway's knowledge of OpenAI's API: which endpoints
// there are, what a caller may send to each and what of an answer comes back.
// Everything is by allow list: a member, an event or an endpoint that no table
// here names does not pass. The package is pure: it does no I/O but reading
// the stream it is given, and asks no clock.
package openai

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
)

// The endpoints of the table.
const (
	EndpointResponses   claviger.Endpoint = "responses"
	EndpointChat        claviger.Endpoint = "chat.completions"
	EndpointEmbeddings  claviger.Endpoint = "embeddings"
	EndpointModerations claviger.Endpoint = "moderations"
	EndpointModels      claviger.Endpoint = "models"
	EndpointModel       claviger.Endpoint = "models.get"
)

const (
	get  = "GET"
	post = "POST"
)

// Row is one endpoint.
type Row struct {
	// Name is what the configuration calls the endpoint.
	Name   claviger.Endpoint
	Method string
	// Path is relative to /v1. One that ends in a slash stands for itself and
	// one more segment, as it was sent.
	Path string
	// Streams says that a caller may ask for a stream.
	Streams bool
	// Query are the query parameters that are passed on. Others are dropped.
	Query []string

	// object is the body; nil for an endpoint that the gateway answers itself.
	object *object
	answer *answerObject
}

// Rows is the endpoint table. What is not in it does not exist here: it is
// answered 404 and nothing of it is forwarded.
func Rows() []*Row { return slices.Clone(table) }

var table = []*Row{
	{
		Name: EndpointResponses, Method: post, Path: "/responses", Streams: true,
		object: &object{fields: responsesMembers()}, answer: responseAnswer,
	},
	{
		Name: EndpointChat, Method: post, Path: "/chat/completions", Streams: true,
		object: &object{fields: chatMembers()}, answer: chatAnswer,
	},
	{
		Name: EndpointEmbeddings, Method: post, Path: "/embeddings",
		object: &object{fields: embeddingsMembers()}, answer: embeddingsAnswer,
	},
	{
		Name: EndpointModerations, Method: post, Path: "/moderations",
		object: &object{fields: moderationsMembers()}, answer: moderationsAnswer,
	},
	{Name: EndpointModels, Method: get, Path: "/models"},
	{Name: EndpointModel, Method: get, Path: "/models/"},
}

// Members lists the members of an endpoint's body that are let through in some
// configuration, each with its place as "messages[].content[].text".
func Members(row *Row) []string {
	var out []string
	if row.object != nil {
		out = row.object.list("", out)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// generates says that the endpoint makes text, so that output is capped and
// the safety identifier is known to it.
func (r *Row) generates() bool { return r.Name == EndpointResponses || r.Name == EndpointChat }

// inputMember is where the caller's text stands.
func (r *Row) inputMember() string {
	if r.Name == EndpointChat {
		return "messages"
	}
	return "input"
}

// Find returns the rows of a path below /v1, compared byte for byte as sent.
func Find(path string) []*Row {
	for i, r := range table {
		if r.fits(path) {
			// Rows of one path stand together.
			n := i + 1
			for n < len(table) && table[n].Path == r.Path {
				n++
			}
			return table[i:n:n]
		}
	}
	return nil
}

// fits compares a path. The variable segment holds what names of models hold
// and no slash, so that none needs an escape.
func (r *Row) fits(path string) bool {
	if !strings.HasSuffix(r.Path, "/") {
		return path == r.Path
	}
	segment, ok := strings.CutPrefix(path, r.Path)
	return ok && strings.Trim(segment, ".") != "" && strings.IndexFunc(segment, notSegment) < 0
}

func notSegment(r rune) bool { return r == '/' || notModel(r) }
