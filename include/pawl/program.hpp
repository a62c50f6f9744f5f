/// A program: a set of task types with Pawl's whole command line.
///
///     int main(int argc, char** argv) {
///         pawl::Program program;
///         program.workflow("hello", hello);
///         return program.main(argc, argv);   // ./hello worker, ./hello submit hello '{"name":"Ann"}', ./hello why ...
///     }
///
/// The built-in types `agent`, `command`, `echo` and `sleep` are served beside the program's own.
#pragma once

#include <pawl/workflow.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace pawl {

class Agent;

namespace detail {
struct RegisteredType;
struct ProgramImpl;
}  // namespace detail

/// Options of one registered workflow; defaults of its tasks. Setters return the same object; valid while the program
/// lives and no further type was registered.
class Registration {
public:
    explicit Registration(detail::RegisteredType& type) : type_(&type) {}

    Registration& queue(std::string_view name);
    Registration& priority(int p);
    /// Limit of each task, from its submit.
    Registration& deadline(Duration d);
    /// For steps that set no attempts of their own.
    Registration& retry(const Retry& r);
    /// Default 1. A task is bound to a version at its first claim; register older versions beside the newest.
    Registration& version(int n);
    /// The oldest version whose tasks this code may continue; default: only its own.
    Registration& compatible_from(int n);

private:
    detail::RegisteredType* type_;
};

class Program {
public:
    Program();
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Registers `f(Context&, In, deps...)` as type `name`; deps are copied and handed to every run.
    /// Throws std::invalid_argument for a malformed name.
    template <class R, class In, class... D>
    Registration workflow(std::string_view name, Workflow<R> (*f)(Context&, In, D...),
                          std::type_identity_t<D>... deps) {
        return add(name, schema_of<In>(), [f, deps...](Context& ctx, std::string json) {
            return adapt<R, In, D...>(ctx, std::move(json), f, deps...);
        });
    }
    template <class In, class R, class... D>
    Registration workflow(TaskType<In, R> type, Workflow<R> (*f)(Context&, In, D...), std::type_identity_t<D>... deps) {
        return workflow<R, In, D...>(type.name, f, deps...);
    }

    /// Registers an agent (pawl/agent.hpp) as a type of its name. Throws std::invalid_argument for what it cannot be:
    /// a malformed name, a tool's name used twice, a limit out of range, a limit of money without a price.
    Registration agent(const Agent& agent);

    /// Pawl's command line; `argv[1]` is the verb. Returns the process's exit code (docs/reference/cli.md).
    int main(int argc, char** argv);

    detail::ProgramImpl& impl() const { return *impl_; }

private:
    using Run = std::function<Workflow<std::string>(Context&, std::string)>;
    Registration add(std::string_view name, std::string schema, Run run);

    template <class R, class In, class... D>
    static Workflow<std::string> adapt(Context& ctx, std::string json, Workflow<R> (*f)(Context&, In, D...),
                                       D... deps) {
        In in = from_json<In>(json);
        json = std::string();
        Workflow<R> workflow = f(ctx, std::move(in), deps...);
        if constexpr (std::is_void_v<R>) {
            co_await std::move(workflow);
            co_return std::string("null");
        } else {
            R result = co_await std::move(workflow);
            co_return to_json(result);
        }
    }

    std::shared_ptr<detail::ProgramImpl> impl_;
};

}  // namespace pawl
