package env

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"

	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/dotenv"
)

// Dump is the environment of a deployment, as a file tells it.
type Dump struct {
	// Name is how findings call the file.
	Name string
	Vars []Var
}

// Var is one variable with the line that sets it.
type Var struct {
	Name, Value string
	Line        int
}

// maxDump is the largest dump that is read, in bytes.
const maxDump = 8 << 20

// ReadDump reads what `vercel env pull` writes, a compose file, or Kubernetes
// manifests. An error shows nothing of the file.
func ReadDump(full, name string) (*Dump, error) {
	text, err := files.Read(full, maxDump)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	vars, err := ParseDump(name, text)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(vars) == 0 {
		return nil, fmt.Errorf("%s sets no variable: it should be what 'vercel env pull' writes, a compose file, or Kubernetes manifests", name)
	}
	return &Dump{Name: name, Vars: vars}, nil
}

// ParseDump reads the text of a dump. The name decides between YAML and .env.
func ParseDump(name, text string) ([]Var, error) {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return parseYAML(text)
	}
	if strings.HasPrefix(text, "apiVersion:") || strings.HasPrefix(text, "services:") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "---\n") {
		return parseYAML(text)
	}
	var vars []Var
	for _, e := range dotenv.Parse([]byte(text)) {
		vars = append(vars, Var{e.Name, e.Value, e.Line})
	}
	return vars, nil
}

// parseYAML takes variables from wherever the two formats have them.
func parseYAML(text string) ([]Var, error) {
	d := yaml.NewDecoder(strings.NewReader(text))
	var vars []Var
	for range 1000 {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return vars, nil
		}
		if err != nil {
			// The library's text may quote a value.
			return nil, errors.New("it is no YAML")
		}
		if len(doc.Content) == 1 {
			vars = append(vars, manifest(doc.Content[0], 0)...)
		}
	}
	return vars, nil
}

// manifest reads one document: a list of others, a Secret, a ConfigMap, a
// workload, or a compose file.
func manifest(n *yaml.Node, depth int) []Var {
	if n.Kind != yaml.MappingNode || depth > 8 {
		return nil
	}
	var vars []Var
	switch kind := member(n, "kind"); {
	case kind != nil && strings.HasSuffix(kind.Value, "List"):
		if items := member(n, "items"); items != nil {
			for _, item := range items.Content {
				vars = append(vars, manifest(item, depth+1)...)
			}
		}
	case kind != nil && kind.Value == "Secret":
		vars = append(vars, pairs(member(n, "data"), true)...)
		vars = append(vars, pairs(member(n, "stringData"), false)...)
	case kind != nil && kind.Value == "ConfigMap":
		vars = pairs(member(n, "data"), false)
	case kind != nil:
		vars = workload(n, 0)
	default:
		vars = compose(n)
	}
	return vars
}

// compose reads `environment` and `build.args` of each service.
func compose(n *yaml.Node) []Var {
	services := member(n, "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return pairs(n, false)
	}
	var vars []Var
	for i := 1; i < len(services.Content); i += 2 {
		s := services.Content[i]
		vars = append(vars, environment(member(s, "environment"))...)
		vars = append(vars, environment(member(member(s, "build"), "args"))...)
	}
	return vars
}

// environment is a mapping, or a list of NAME=value.
func environment(n *yaml.Node) []Var {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return pairs(n, false)
	}
	var vars []Var
	for _, item := range n.Content {
		if name, value, ok := strings.Cut(item.Value, "="); ok {
			vars = append(vars, Var{name, unset(value), item.Line})
		}
	}
	return vars
}

// workload looks for the `env` of containers, wherever they stand.
func workload(n *yaml.Node, depth int) []Var {
	if n == nil || depth > 32 {
		return nil
	}
	var vars []Var
	if n.Kind == yaml.MappingNode {
		if list := member(n, "env"); list != nil && list.Kind == yaml.SequenceNode {
			for _, item := range list.Content {
				name, value := member(item, "name"), member(item, "value")
				if name != nil && value != nil {
					vars = append(vars, Var{name.Value, value.Value, value.Line})
				}
			}
		}
	}
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			vars = append(vars, workload(c, depth+1)...)
		}
	}
	return vars
}

// plain is the node that an alias stands for.
func plain(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func member(n *yaml.Node, name string) *yaml.Node {
	if n = plain(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return plain(n.Content[i+1])
		}
	}
	return nil
}

func pairs(n *yaml.Node, encoded bool) []Var {
	if n = plain(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var vars []Var
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], plain(n.Content[i+1])
		if k.Value == "<<" && v.Kind == yaml.MappingNode && v != n {
			vars = append(vars, scalars(v)...)
			continue
		}
		if v.Kind != yaml.ScalarNode {
			continue
		}
		value := v.Value
		if encoded {
			b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
			if err != nil {
				continue
			}
			value = string(b)
		}
		vars = append(vars, Var{k.Value, unset(value), k.Line})
	}
	return vars
}

// scalars are the variables of a mapping that is merged into another.
func scalars(n *yaml.Node) []Var {
	var vars []Var
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := plain(n.Content[i+1]); v.Kind == yaml.ScalarNode {
			vars = append(vars, Var{n.Content[i].Value, unset(v.Value), v.Line})
		}
	}
	return vars
}

// unset takes a reference to another variable for what it is: no value.
func unset(v string) string {
	if strings.HasPrefix(v, "${") && strings.HasSuffix(v, "}") {
		if _, fallback, ok := strings.Cut(strings.TrimSuffix(v, "}"), ":-"); ok {
			return fallback
		}
		return ""
	}
	return v
}
