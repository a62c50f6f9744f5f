#include "cli/cli.hpp"

int main(int argc, char** argv) { return pawl::cli::main(argc, argv, {}); }
