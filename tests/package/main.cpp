#include <pawl/json.hpp>

#include <iostream>

struct Hello {
    std::string name;
};
BOOST_DESCRIBE_STRUCT(Hello, (), (name))

int main() { std::cout << pawl::from_json<Hello>(pawl::to_json(Hello{"Ada"})).name << "\n"; }
